"""Colors, scales and opacity of heatmap layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import numpy as np
from napari.utils.colormaps import Colormap, ensure_colormap

__all__ = [
    "COLORMAPS",
    "OPACITY",
    "SIGNED",
    "LayerStyle",
    "named_colormap",
    "signed_and_clear",
]

SIGNED = "signed"
"""Blue below zero, red above, and the same strength to both sides."""

COLORMAPS = (
    "jet",
    SIGNED,
    "turbo",
    "viridis",
    "magma",
    "inferno",
    "gray",
    "green",
    "magenta",
    "cyan",
)
"""The choices offered. A set of prompts may name any other colormap of napari's."""

_SIGNED_COLORS = ((0.13, 0.40, 0.85, 1.0), (0.97, 0.97, 0.97, 1.0), (0.85, 0.15, 0.15, 1.0))
_STEPS = 256
_OPAQUE_FROM = 0.6
"""Fraction of the range from which a map that is transparent where it is low is fully opaque."""

_CLEAR_UNTIL = 0.4
"""The same of a map that is clear at zero: what is well above zero keeps its color."""

_GROUND = 0.05
"""Fraction of the range up to which such a map is wholly clear: a flat ground is never exactly
zero, and the tiles that it was seen in would show."""

_LEAST_RANGE = 1e-6
"""Of contrast limits, which napari needs apart; rounding errors stay clear below it."""

OPACITY = 0.7
"""Of a map over its image: jet is saturated, and the image must stay visible beneath it."""

Limits = tuple[float, float]


@dataclass(frozen=True)
class LayerStyle:
    """How maps become colors.

    Parameters
    ----------
    default : str
        Colormap of rows that have none of their own.
    own : mapping of str to str
        Colormap by the row's key.
    scale : {"own", "shared"}
        Whether the colors of each map run over its own range, or over one range for all maps.
    transparent_low : bool
        Whether a map is more transparent the lower its values are.
    clear_below_zero : bool
        Whether maps on a shared scale are clear at zero and below: so they should be where zero
        means no more than the prompts compared with.
    opacity : float
        Of all maps, 0 to 1.
    faint : mapping of str to float
        Factor on the opacity of maps that are not to be trusted, by the row's key.
    by_hand : mapping of str to mapping
        What the user set in napari's own controls, by the row's key: attributes of the layer.
    """

    default: str = "jet"
    own: Mapping[str, str] = field(default_factory=dict)
    scale: Literal["own", "shared"] = "own"
    transparent_low: bool = False
    clear_below_zero: bool = False
    opacity: float = OPACITY
    faint: Mapping[str, float] = field(default_factory=dict)
    by_hand: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def colormap(self, key: str) -> Any:
        """Return what napari takes for a row's colormap."""
        if "colormap" in self.by_hand.get(key, ()):
            return self.by_hand[key]["colormap"]
        name = self._name(key)
        if self.transparent_low:
            return _transparent_low(name, _OPAQUE_FROM)
        if self._clear and name != SIGNED:
            return _transparent_low(name, _CLEAR_UNTIL, _GROUND)
        return named_colormap(name)

    def opacity_of(self, key: str) -> float:
        """Return the opacity of a row's layer, 0 to 1."""
        chosen = self.by_hand.get(key, {}).get("opacity")
        return self.opacity * self.faint.get(key, 1.0) if chosen is None else float(chosen)

    def limits(self, ranges: Sequence[Limits], keys: Sequence[str]) -> list[Limits]:
        """Return the contrast limits of each map.

        Parameters
        ----------
        ranges : sequence of (float, float)
            Lowest and highest value of each map.
        keys : sequence of str
            The rows' keys.
        """
        return [
            self.by_hand.get(key, {}).get("contrast_limits", limits)
            for key, limits in zip(keys, self._computed_limits(ranges, keys), strict=True)
        ]

    def _computed_limits(self, ranges: Sequence[Limits], keys: Sequence[str]) -> list[Limits]:
        signed = [self._name(key) == SIGNED for key in keys]
        if self.scale == "own":
            each = zip(ranges, signed, strict=True)
            return [_symmetric(own) if both else own for own, both in each]
        one = min(low for low, _ in ranges), max(high for _, high in ranges)
        if self._clear:
            above = max(one[1], _LEAST_RANGE)
            return [(-above, above) if both else (0.0, above) for both in signed]
        return [_symmetric(one) if any(signed) else one] * len(keys)

    @property
    def _clear(self) -> bool:
        return self.scale == "shared" and self.clear_below_zero

    def _name(self, key: str) -> str:
        return self.own.get(key) or self.default


def _symmetric(limits: Limits) -> Limits:
    """Return limits that lie equally far on both sides of zero."""
    most = max(map(abs, limits))
    return -most, most


def named_colormap(name: str) -> Any:
    """Return a colormap of ours as napari takes it."""
    if name != SIGNED:
        return name
    return Colormap(np.array(_SIGNED_COLORS, np.float32), name=SIGNED)


def signed_and_clear() -> Colormap:
    """Return the colormap "signed", clear near zero."""
    return _transparent_low(SIGNED, _CLEAR_UNTIL, _GROUND)


@cache
def _transparent_low(name: str, opaque_from: float, clear_until: float = 0.0) -> Colormap:
    """Return a colormap that is transparent at low values; "signed": at values near zero."""
    values = np.linspace(0, 1, _STEPS, dtype=np.float32)
    colors = ensure_colormap(named_colormap(name)).map(values)
    strength = np.abs(2 * values - 1) if name == SIGNED else values
    colors[:, 3] = np.clip((strength - clear_until) / (opaque_from - clear_until), 0, 1)
    # Short: napari's controls become as wide as the longest name of a colormap.
    return Colormap(colors, name=f"{name}, clear < {opaque_from:.0%}")
