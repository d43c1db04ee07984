"""What a patch and a tile of the model measure in the user's own unit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_clip_heatmap.imaging.lattice import Lattice

__all__ = ["Resolution", "format_length", "lattice_resolution", "resolution", "unit_symbol"]

# Fonts draw both signs alike; pint writes the first until 0.25 and the second from 0.26.
_MICRO, _MU = "\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}"


@dataclass(frozen=True)
class Resolution:
    """Sizes of a patch and of a tile.

    Parameters
    ----------
    patch, tile : (y, x)
        In `unit`.
    unit : str
        Of lengths, such as "µm"; "px" for image pixels.
    parts : int
        Values per patch and axis.
    """

    patch: tuple[float, float]
    tile: tuple[float, float]
    unit: str
    parts: int = 1

    @property
    def patch_text(self) -> str:
        """Size of a patch, such as "2.6 µm"; along both axes where they differ."""
        return _length(self.patch, self.unit)

    def __str__(self) -> str:
        patch, tile = self.patch_text, _length(self.tile, self.unit)
        if self.parts > 1:
            y, x = self.patch
            patch += f", one every {_length((y / self.parts, x / self.parts), self.unit)}"
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


def lattice_resolution(lattice: Lattice, pixel_size: tuple[float, float], unit: str) -> Resolution:
    """Return what a patch and a tile of a lattice measure; `pixel_size` is of an image pixel."""
    y, x = lattice.y, lattice.x
    working = y.image / y.working * pixel_size[0], x.image / x.working * pixel_size[1]
    sizes = resolution((y.patch, x.patch), (y.tile, x.tile), working, unit)
    return replace(sizes, parts=y.parts)


@lru_cache(maxsize=64)
def unit_symbol(unit: str) -> str:
    """Return the one way in which a unit is written, whichever name or micro sign it came with.

    Parameters
    ----------
    unit : str
        A unit's name or symbol, such as "micrometer", "um" or "pixel".

    Returns
    -------
    str
        Such as "µm" (with the micro sign, U+00B5) or "px"; other units as they are.

    Examples
    --------
    >>> unit_symbol("micrometer"), unit_symbol("pixel"), unit_symbol("mm")
    ('µm', 'px', 'mm')
    """
    name = unit.replace(_MU, _MICRO)
    if name in ("pixel", "px"):  # pint knows pixels, and writes them out
        return "px"
    if not name.isalpha():
        return name
    import pint

    try:
        symbol = f"{pint.Unit(name):~P}"
    except (pint.PintError, ValueError, TypeError):  # no unit that pint knows
        return name
    return symbol.replace(_MU, _MICRO)


def format_length(length: float, unit: str) -> str:
    """Return a length with its unit, in three digits or as a whole number.

    Parameters
    ----------
    length : float
        In `unit`.
    unit : str
        As `unit_symbol` takes it.

    Examples
    --------
    >>> format_length(2.6041, "micrometer"), format_length(4480.0, "pixel")
    ('2.6 µm', '4480 px')
    """
    return f"{_digits(length)} {unit_symbol(unit)}"


def _length(lengths: tuple[float, float], unit: str) -> str:
    """Write a length, along both axes where they differ."""
    y, x = (_digits(length) for length in lengths)
    return format_length(lengths[1], unit) if y == x else f"{y} x {x} {unit_symbol(unit)}"


def _digits(length: float) -> str:
    return f"{length:.3g}" if length < 100 else f"{length:.0f}"
