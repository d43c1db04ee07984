"""Where a layer's pixels are, where they come from, and whether a layer is one of our heatmaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import ensure_colormap

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.utils import Colormap

__all__ = ["METADATA_KEY", "describe_origin", "finest", "is_heatmap", "pyramid_of"]

METADATA_KEY = "clip_heatmap"
"""Where a heatmap layer's ``metadata`` say what it was made from."""

_SHIPPED = (
    *("red", "green", "blue", "cyan", "magenta", "yellow"),
    *("viridis", "magma", "inferno", "plasma", "turbo", "jet", "hsv", "twilight", "gist_earth"),
    *("bop blue", "bop orange", "bop purple", "PiYG", "twilight_shifted"),
)
"""Colormaps that any napari finds by name. A colormap made by a user has a name too."""


def finest(layer: Image | Labels) -> Any:
    """Return a layer's array at full resolution: the only one, or the first of a pyramid."""
    return layer.data[0] if layer.multiscale else layer.data


def pyramid_of(layer: Image | Labels) -> tuple[Any, ...]:
    """Return a layer's arrays, the finest first; one where it is not a pyramid."""
    return tuple(layer.data) if layer.multiscale else (layer.data,)


def is_heatmap(layer: Layer) -> bool:
    """Tell whether a layer is one of our heatmaps, or a duplicate of one."""
    return METADATA_KEY in layer.metadata


def describe_origin(layer: Image) -> dict[str, Any]:
    """Describe a layer, in JSON values, so that a script can read and show it again.

    Parameters
    ----------
    layer : Image

    Returns
    -------
    dict
        ``layer``, its name; ``path`` and ``sample`` (plugin and key) where napari knows them;
        ``shape`` and ``dtype``; ``levels``, the shapes of a pyramid's levels, else empty;
        ``colormap``, None for gray and for RGB layers.
    """
    data = finest(layer)
    levels = pyramid_of(layer) if layer.multiscale else ()
    path, sample = layer.source.path, layer.source.sample
    return {
        "layer": layer.name,
        "path": None if path is None else str(path),
        "sample": None if sample is None else list(sample),
        "shape": [int(n) for n in data.shape],
        "dtype": str(np.dtype(data.dtype)),
        "levels": [[int(n) for n in level.shape] for level in levels],
        "colormap": None if layer.rgb else _colormap(layer.colormap),
    }


def _colormap(colormap: Colormap) -> dict[str, Any] | None:
    """Return a colormap by its name if napari ships it, else by its colors; None for gray."""
    if colormap.name == "gray":
        return None
    if colormap.name in _SHIPPED:
        known = ensure_colormap(colormap.name)
        steps = np.linspace(0, 1, 64)
        if np.array_equal(known.map(steps), colormap.map(steps)):
            return {"name": colormap.name}
    return {
        "name": colormap.name,
        "colors": np.asarray(colormap.colors, float).tolist(),
        "controls": np.asarray(colormap.controls, float).tolist(),
        "interpolation": str(colormap.interpolation),
    }
