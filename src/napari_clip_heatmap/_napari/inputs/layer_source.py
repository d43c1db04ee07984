"""Where a layer's pixels come from and how it shows them, in values that JSON has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import ensure_colormap

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.utils import Colormap

__all__ = ["describe_origin"]

_SHIPPED = (
    *("red", "green", "blue", "cyan", "magenta", "yellow"),
    *("viridis", "magma", "inferno", "plasma", "turbo", "jet", "hsv", "twilight", "gist_earth"),
    *("bop blue", "bop orange", "bop purple", "PiYG", "twilight_shifted"),
)
"""Colormaps that their names lead to in any napari; one that a user has made has a name, too."""


def describe_origin(layer: Image) -> dict[str, Any]:
    """Describe a layer well enough to read it and look at it again without its window.

    Parameters
    ----------
    layer : Image

    Returns
    -------
    dict
        ``layer``, its name; ``path``, ``sample`` (plugin and key), where napari knows them;
        ``shape``, ``dtype``; ``levels``, their shapes, empty unless it is a pyramid; ``colormap``,
        as `channels_of` hands it to the model, None for gray and for colour images.
    """
    data = layer.data[0] if layer.multiscale else layer.data
    levels = layer.data if layer.multiscale else ()
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
    """Return a colormap by its name, where that leads to it, else by its colours; None for gray."""
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
