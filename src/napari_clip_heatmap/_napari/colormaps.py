"""Colours and scales of heatmap layers: jet on its own range, or as the user wants it."""

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
"""Offered; whatever a set of prompts names of napari's own is taken too."""

_SIGNED_COLOURS = ((0.13, 0.40, 0.85, 1.0), (0.97, 0.97, 0.97, 1.0), (0.85, 0.15, 0.15, 1.0))
_STEPS = 256
_OPAQUE_FROM = 0.6
"""Of the range: beyond, a fading map is as opaque as its layer."""

Limits = tuple[float, float]


@dataclass(frozen=True)
class LayerStyle:
    """How maps become colours.

    Parameters
    ----------
    default : str
        Colormap of rows that have none of their own.
    own : mapping of str to str
        Colormap by the row's key.
    scale : {"own", "shared"}
        Whether each map's colours run over its own range, or all over that of all.
    transparent_low : bool
        Whether a map is the more transparent the less it finds.
    """

    default: str = "jet"
    own: Mapping[str, str] = field(default_factory=dict)
    scale: Literal["own", "shared"] = "own"
    transparent_low: bool = False

    def colormap(self, key: str) -> Any:
        """Return what napari takes for a row's colormap."""
        name = self._name(key)
        return _fading(name) if self.transparent_low else named_colormap(name)

    def limits(self, ranges: Sequence[Limits], keys: Sequence[str]) -> list[Limits]:
        """Return between which values each map's colours run.

        Parameters
        ----------
        ranges : sequence of (float, float)
            Of each map's values.
        keys : sequence of str
            The rows' keys.
        """
        signed = [self._name(key) == SIGNED for key in keys]
        if self.scale == "own":
            each = zip(ranges, signed, strict=True)
            return [_even(own) if both else own for own, both in each]
        one = min(low for low, _ in ranges), max(high for _, high in ranges)
        return [_even(one) if any(signed) else one] * len(keys)

    def _name(self, key: str) -> str:
        return self.own.get(key) or self.default


def _even(limits: Limits) -> Limits:
    """Return limits as far to both sides of zero."""
    most = max(map(abs, limits))
    return -most, most


def named_colormap(name: str) -> Any:
    """Return what napari takes for a colormap of ours."""
    if name != SIGNED:
        return name
    return Colormap(np.array(_SIGNED_COLOURS, np.float32), name=SIGNED)


def _fading(name: str) -> Colormap:
    """Return a colormap that is clear where there is least."""
    places = np.linspace(0, 1, _STEPS, dtype=np.float32)
    colours = ensure_colormap(named_colormap(name)).map(places)
    much = np.abs(2 * places - 1) if name == SIGNED else places
    colours[:, 3] = np.clip(much / _OPAQUE_FROM, 0, 1)
    return Colormap(colours, name=f"{name}, fading")
