"""What the viewer shows of image layers, as channels that the model can look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import dist
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.channel import Channel, Plane

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from numpy.typing import NDArray

__all__ = [
    "EVERY_AXIS",
    "SliceChoice",
    "SlideOver",
    "axis_choices",
    "channels_of",
    "check_layer",
    "fits_image",
    "no_image_error",
    "requested_planes",
    "shown_index",
]


LUT_STEPS = 1024
"""As finely as napari's own colormap texture, so a model sees the same colours."""


def fits_image(layer: Image, image: Image) -> bool:
    """Tell whether a layer's pixels lie exactly on another's: same shape, same transform."""
    return (
        layer.ndim == image.ndim
        and _shape(layer) == _shape(image)
        and all(
            np.array_equal(getattr(layer, name), getattr(image, name))
            for name in ("scale", "translate", "rotate", "shear")
        )
        and np.array_equal(layer.affine.affine_matrix, image.affine.affine_matrix)
    )


def channels_of(layers: Sequence[Image], index: tuple[int, ...]) -> tuple[Channel, ...]:
    """Return one plane of layers that lie on one another, as the viewer shows it.

    Contrast limits, gamma and colormap are taken as they are now; the pixels are not read yet.

    Parameters
    ----------
    layers : sequence of Image
        The first is the one asked about.
    index : tuple of int
        Of the plane, on their leading axes.

    Raises
    ------
    ImageError
        A layer does not lie on the first.
    """
    image, *others = layers
    for other in others:
        if not fits_image(other, image):
            raise ImageError(
                f"the layer '{other.name}' does not lie on '{image.name}': it has shape "
                f"{_shape(other)}, not {_shape(image)}, or another scale or place. "
                "Choose channels of one image"
            )
    return tuple(_channel(layer, index) for layer in layers)


def _channel(layer: Image, index: tuple[int, ...]) -> Channel:
    levels = _levels(layer, index)
    if layer.rgb:
        return Channel(levels, limits=_white(levels[0].dtype))
    low, high = (float(limit) for limit in layer.contrast_limits)
    return Channel(levels, (low, high), float(layer.gamma), _lut(layer))


def _levels(layer: Image, index: tuple[int, ...]) -> tuple[Any, ...]:
    """Return a plane at each level, the finest first; coarser levels may have fewer planes."""
    if not layer.multiscale:
        return (_plane(layer.data, index),)
    finest = layer.data[0].shape
    return tuple(
        _plane(level, tuple(i * level.shape[axis] // finest[axis] for axis, i in enumerate(index)))
        for level in layer.data
    )


def _plane(array: Any, index: tuple[int, ...]) -> Any:
    """Leave a whole array what it is, so that who knows its kind can treat it best."""
    return Plane(array, index) if index else array


def _white(dtype: Any) -> tuple[float, float]:
    """Colours are shown as they are: integers over the largest of their type, floats over 1."""
    kind = np.dtype(dtype)
    return (0.0, float(np.iinfo(kind).max)) if kind.kind in "ui" else (0.0, 1.0)


def _lut(layer: Image) -> NDArray[np.float32] | None:
    """Return the colormap as a table (step, colour); None for plain gray, which needs none."""
    if layer.colormap.name == "gray":
        return None
    table: NDArray[np.float32] = layer.colormap.map(np.linspace(0, 1, LUT_STEPS))[:, :3]
    return table.astype(np.float32)


def _shape(layer: Image) -> tuple[int, ...]:
    data = layer.data[0] if layer.multiscale else layer.data
    return tuple(int(n) for n in data.shape)[: layer.ndim]


SlideOver = Literal["current", "range", "all"]

CHANNEL_LABELS = {"c", "ch", "channel", "channels"}
"""An axis so labelled holds channels: different things, so it is not slid over unless named."""

EVERY_AXIS = "every axis"


@dataclass(frozen=True)
class SliceChoice:
    """Which planes of a stack to ask about.

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
    """Return the axes that a layer can be slid over, the likeliest first.

    That is the last one before the plane (z of t, z, y, x); channels come at the end.
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
    data = layer.data[0] if layer.multiscale else layer.data
    return tuple(int(n) for n in data.shape[: layer.ndim - 2])


def requested_planes(
    layer: Image, shown: tuple[int, ...], slide: SliceChoice
) -> tuple[tuple[int, ...], ...]:
    """Return the planes to ask about, the one that is shown first, then its nearest.

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
            f"slices {first} to {last} are asked, but there are only 0 to {length - 1} "
            f"along {slide.along}"
        )
    return chosen


def _axes(layer: Image, along: str) -> set[int]:
    labels = _leading(layer)
    if along == EVERY_AXIS:
        return {axis for axis, label in enumerate(labels) if not _is_channel(label)}
    if along not in labels:
        raise ImageError(
            f"the layer '{layer.name}' has no axis '{along}' to slide over; it has "
            f"{', '.join(axis_choices(layer)) or 'none'}"
        )
    return {labels.index(along)}


def _leading(layer: Image | None) -> tuple[str, ...]:
    return () if layer is None else tuple(layer.axis_labels[: layer.ndim - 2])


def _is_channel(label: str) -> bool:
    return label.strip().lower() in CHANNEL_LABELS


MAX_CHANNELS = 8
"""A last axis this short, behind two much longer ones, is not an image's width."""


def no_image_error(active: Layer | None) -> ImageError:
    """Return the error of there being no image, naming the active layer if there is another."""
    found = f"; '{active.name}' is a {type(active).__name__} layer" if active else ""
    return ImageError(
        f"there is no image layer to ask{found}. Open an image (File > Open, or Open Sample)"
    )


def check_layer(layer: Image) -> None:
    """Refuse a layer whose last two axes are no picture.

    Raises
    ------
    ImageError
        The layer has no pixel, or its last axis holds channels.
    """
    shape = tuple(int(n) for n in (layer.data[0] if layer.multiscale else layer.data).shape)
    axes = shape[:-1] if layer.rgb else shape
    if not all(shape):
        raise ImageError(f"the layer '{layer.name}' has shape {shape}, so no pixel; choose another")
    if len(axes) > 2 and axes[-1] <= MAX_CHANNELS and min(axes[-3:-1]) >= 4 * axes[-1]:
        raise ImageError(
            f"the layer '{layer.name}' has shape {shape}: its last axis, of {axes[-1]}, looks like "
            "channels, but napari takes it for the width. Open it with "
            "viewer.add_image(data, channel_axis=-1), and choose one channel"
        )
