"""What a patch and a tile of the model measure in the user's own unit."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Resolution", "resolution", "unit_symbol"]

_SYMBOLS = {"micrometer": "µm", "micrometre": "µm", "um": "µm", "nanometer": "nm", "pixel": "px"}


@dataclass(frozen=True)
class Resolution:
    """Lengths of what the model looks at.

    Parameters
    ----------
    patch, tile : (y, x)
        In `unit`.
    unit : str
        Of lengths, such as "µm"; "px" for image pixels.
    """

    patch: tuple[float, float]
    tile: tuple[float, float]
    unit: str

    def __str__(self) -> str:
        patch, tile = _length(self.patch, self.unit), _length(self.tile, self.unit)
        return f"one patch = {patch}, a tile = {tile}"


def resolution(
    patch: tuple[int, int],
    tile: tuple[int, int],
    pixel_size: tuple[float, float] = (1.0, 1.0),
    unit: str = "pixel",
) -> Resolution:
    """Return what a patch and a tile measure.

    Parameters
    ----------
    patch, tile : (y, x)
        In working pixels: ``model.patch_size`` and ``model.image_size``.
    pixel_size : (y, x)
        Of a working pixel, in `unit`.
    unit : str
        Such as "micrometer" or "µm".
    """

    def measured(pixels: tuple[int, int]) -> tuple[float, float]:
        return pixels[0] * abs(pixel_size[0]), pixels[1] * abs(pixel_size[1])

    return Resolution(measured(patch), measured(tile), unit_symbol(unit))


def unit_symbol(unit: str) -> str:
    """Return the symbol of a unit by its name; a unit that is not known stays as it is."""
    return _SYMBOLS.get(unit, unit)


def _length(lengths: tuple[float, float], unit: str) -> str:
    """Write a length with two digits after a small number's point, and both where they differ."""
    y, x = (f"{length:.3g}" if length < 100 else f"{length:.0f}" for length in lengths)
    return f"{y} {unit}" if y == x else f"{y} x {x} {unit}"
