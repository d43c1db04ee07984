"""What an image layer holds: its finest level, its origin, its planes; which layers are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import dist
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from napari.utils.colormaps import ensure_colormap

from napari_clip_heatmap.errors import ImageError

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.utils import Colormap

__all__ = [
    "EVERY_AXIS",
    "METADATA_KEY",
    "SliceChoice",
    "SlideOver",
    "axis_choices",
    "check_layer",
    "describe_origin",
    "finest",
    "is_heatmap",
    "no_image_error",
    "placement",
    "pyramid_of",
    "requested_planes",
    "shown_index",
    "slider_steps",
]


SlideOver = Literal["current", "range", "all"]

CHANNEL_LABELS = {"c", "ch", "channel", "channels"}
"""Labels of a channel axis. Its planes are different things, so it is used only if named."""

EVERY_AXIS = "every axis"


@dataclass(frozen=True)
class SliceChoice:
    """Which planes of a stack to use.

    Parameters
    ----------
    over : {"current", "range", "all"}
        Only the plane that the viewer shows; steps `first` to `last` along an axis; or all along
        it.
    along : str
        Label of the axis, or `EVERY_AXIS`: all but channels.
    first, last : int
        Data steps, both included; for "range".
    """

    over: SlideOver = "current"
    along: str = ""
    first: int = 0
    last: int = 0


def axis_choices(layer: Image | None) -> tuple[str, ...]:
    """Return the axes that slices can go along, the most likely first.

    That is the last axis before the plane (z of t, z, y, x); channel axes come last.
    """
    labels = _leading(layer)
    slid = [label for label in reversed(labels) if not _is_channel(label)]
    every = [EVERY_AXIS] if len(slid) > 1 else []
    return (*slid, *every, *(label for label in labels if _is_channel(label)))


def shown_index(layer: Image, point: Sequence[float]) -> tuple[int, ...]:
    """Return the plane that the viewer shows, on the layer's leading axes, in data steps.

    Parameters
    ----------
    layer : Image
    point : sequence of float
        Where the viewer's sliders stand, in world units (``viewer.dims.point``).
    """
    steps = slider_steps(layer, point)
    return tuple(int(i) for i in np.clip(steps, 0, np.asarray(leading_shape(layer)) - 1))


def slider_steps(layer: Image, point: Sequence[float]) -> tuple[int, ...]:
    """Return where the sliders stand on the layer's leading axes, which may be outside it."""
    position = layer.world_to_data(tuple(point)[-layer.ndim :])
    return tuple(int(i) for i in np.rint(np.asarray(position[: layer.ndim - 2], dtype=float)))


def leading_shape(layer: Image) -> tuple[int, ...]:
    """Return the lengths of a layer's axes before its last two, at full resolution."""
    return tuple(int(n) for n in finest(layer).shape[: layer.ndim - 2])


def requested_planes(
    layer: Image, shown: tuple[int, ...], slide: SliceChoice
) -> tuple[tuple[int, ...], ...]:
    """Return the indices of the planes to use: the plane in view, then the nearest to it.

    Raises
    ------
    ImageError
        The layer has no such axis, or the range holds none of its steps.
    """
    if slide.over not in get_args(SlideOver):
        raise ImageError(f"slices is {slide.over!r}; accepted: {', '.join(get_args(SlideOver))}")
    if slide.over == "current" or not shown:
        return (shown,)
    steps = [
        _steps(slide, length) if axis in _axes(layer, slide.along) else (shown[axis],)
        for axis, length in enumerate(leading_shape(layer))
    ]
    return tuple(sorted(product(*steps), key=lambda index: (dist(index, shown), index)))


def _steps(slide: SliceChoice, length: int) -> Sequence[int]:
    steps = range(length)
    if slide.over == "all":
        return steps
    first, last = sorted((slide.first, slide.last))
    chosen = [step for step in steps if first <= step <= last]
    if not chosen:
        raise ImageError(
            f"the slices are {first} to {last}, but there are only 0 to {length - 1} "
            f"along {slide.along}"
        )
    return chosen


def _axes(layer: Image, along: str) -> set[int]:
    labels = _leading(layer)
    if along == EVERY_AXIS:
        return {axis for axis, label in enumerate(labels) if not _is_channel(label)}
    if along not in labels:
        raise ImageError(
            f"the layer '{layer.name}' has no axis '{along}'; it has "
            f"{', '.join(axis_choices(layer)) or 'none'}"
        )
    return {labels.index(along)}


def _leading(layer: Image | None) -> tuple[str, ...]:
    return () if layer is None else tuple(layer.axis_labels[: layer.ndim - 2])


def _is_channel(label: str) -> bool:
    return label.strip().lower() in CHANNEL_LABELS


MAX_CHANNELS = 8
"""A last axis of at most this length, after two much longer ones, holds channels."""


def no_image_error(active: Layer | None) -> ImageError:
    """Return the error that there is no image layer; it names the active layer, if any."""
    found = f"; '{active.name}' is a {type(active).__name__} layer" if active else ""
    return ImageError(
        f"there is no image layer to use{found}. Open an image (File > Open, or Open Sample)"
    )


def check_layer(layer: Image) -> None:
    """Refuse a layer whose last two axes are not an image.

    Raises
    ------
    ImageError
        The layer has no pixel, or its last axis holds channels.
    """
    shape = tuple(int(n) for n in finest(layer).shape)
    axes = shape[:-1] if layer.rgb else shape
    if not all(shape):
        raise ImageError(f"the layer '{layer.name}' has shape {shape}, so no pixel; choose another")
    if len(axes) > 2 and axes[-1] <= MAX_CHANNELS and min(axes[-3:-1]) >= 4 * axes[-1]:
        raise ImageError(
            f"the layer '{layer.name}' has shape {shape}: its last axis, of {axes[-1]}, looks like "
            "channels, but napari takes it for the width. Open it with "
            "viewer.add_image(data, channel_axis=-1), and choose one channel"
        )


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


def placement(layer: Image) -> dict[str, Any]:
    """Return the settings that place a layer of the same shape where another lies.

    Every part of the transform is copied as it is, so nothing is lost by taking a matrix apart.

    Parameters
    ----------
    layer : Image
        The source.

    Returns
    -------
    dict
        scale, translate, rotate, shear, affine, units, axis_labels: arguments of
        ``napari.layers.Image`` and attributes of a layer.
    """
    return {
        "scale": layer.scale,
        "translate": layer.translate,
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": layer.affine.affine_matrix,
        "units": layer.units,
        "axis_labels": layer.axis_labels,
    }
