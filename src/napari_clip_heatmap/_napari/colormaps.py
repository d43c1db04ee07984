"""Colors and scales of heatmap layers: jet over each map's own range, unless chosen otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from napari.utils.colormaps import Colormap, ensure_colormap

__all__ = ["COLORMAPS", "SIGNED", "LayerStyle", "named_colormap"]

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
    """

    default: str = "jet"
    own: Mapping[str, str] = field(default_factory=dict)
    scale: Literal["own", "shared"] = "own"
    transparent_low: bool = False

    def colormap(self, key: str) -> Any:
        """Return what napari takes for a row's colormap."""
        name = self._name(key)
        return _transparent_low(name) if self.transparent_low else named_colormap(name)

    def limits(self, ranges: Sequence[Limits], keys: Sequence[str]) -> list[Limits]:
        """Return the contrast limits of each map.

        Parameters
        ----------
        ranges : sequence of (float, float)
            Lowest and highest value of each map.
        keys : sequence of str
            The rows' keys.
        """
        signed = [self._name(key) == SIGNED for key in keys]
        if self.scale == "own":
            each = zip(ranges, signed, strict=True)
            return [_symmetric(own) if both else own for own, both in each]
        one = min(low for low, _ in ranges), max(high for _, high in ranges)
        return [_symmetric(one) if any(signed) else one] * len(keys)

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


def _transparent_low(name: str) -> Colormap:
    """Return a colormap that is transparent at low values; "signed": at values near zero."""
    values = np.linspace(0, 1, _STEPS, dtype=np.float32)
    colors = ensure_colormap(named_colormap(name)).map(values)
    strength = np.abs(2 * values - 1) if name == SIGNED else values
    colors[:, 3] = np.clip(strength / _OPAQUE_FROM, 0, 1)
    return Colormap(colors, name=f"{name}, transparent where low")
