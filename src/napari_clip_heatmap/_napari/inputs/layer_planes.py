"""Which planes of a stack are used, and which layers cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import dist
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from napari_clip_heatmap._napari.inputs.layer_source import finest
from napari_clip_heatmap.errors import ImageError

if TYPE_CHECKING:
    from napari.layers import Image, Layer

__all__ = [
    "EVERY_AXIS",
    "SliceChoice",
    "SlideOver",
    "axis_choices",
    "check_layer",
    "no_image_error",
    "requested_planes",
    "shown_index",
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
    leading = layer.ndim - 2
    position = layer.world_to_data(tuple(point)[-layer.ndim :])
    steps = np.rint(np.asarray(position[:leading], dtype=float))
    return tuple(int(i) for i in np.clip(steps, 0, np.asarray(leading_shape(layer)) - 1))


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
