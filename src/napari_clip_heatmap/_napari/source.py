"""The part of an image layer that the model is asked about: one plane, as it lies in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_clip_heatmap.errors import ImageError

if TYPE_CHECKING:
    from napari.layers import Image, Layer

__all__ = ["MAX_PIXELS", "Plane", "no_image", "plane_of"]

MAX_PIXELS = 8192 * 8192
"""Above this a plane and its heatmaps, 16 bytes a pixel and 4 more a prompt, strain a laptop."""

MAX_CHANNELS = 8
"""A last axis this short, behind two much longer ones, is not an image's width."""


@dataclass(frozen=True, eq=False)
class Plane:
    """One plane of a layer.

    Parameters
    ----------
    pixels : array-like (y, x) or (y, x, 3|4)
        As the layer holds it: in memory, mapped or lazy. Nothing is read before it is used.
    index : tuple of int
        Where the plane lies on the layer's leading axes (t, z, channel ...), in data steps; empty
        for a 2D layer.
    """

    pixels: Any
    index: tuple[int, ...]


def plane_of(layer: Image, point: Sequence[float]) -> Plane:
    """Return the plane of a layer that the viewer shows, at full resolution.

    The plane spans the layer's last two axes; of a multiscale layer it is the finest level
    (``np.asarray`` of such a layer would be the coarsest).

    Parameters
    ----------
    layer : Image
    point : sequence of float
        Where the viewer's sliders stand, in world units (``viewer.dims.point``).

    Raises
    ------
    ImageError
        The layer has no pixel, its last axis holds channels, or the plane is too large.
    """
    data = layer.data[0] if layer.multiscale else layer.data
    shape = tuple(data.shape)
    _check(layer.name, shape, rgb=bool(layer.rgb))
    leading = layer.ndim - 2
    position = layer.world_to_data(tuple(point)[-layer.ndim :])
    steps = np.rint(np.asarray(position[:leading], dtype=float))
    index = tuple(int(i) for i in np.clip(steps, 0, np.asarray(shape[:leading]) - 1))
    return Plane(pixels=data[index], index=index)


def no_image(active: Layer | None) -> ImageError:
    """Return the error of there being no image, naming the active layer if there is another."""
    found = f"; '{active.name}' is a {type(active).__name__} layer" if active else ""
    return ImageError(
        f"there is no image layer to ask{found}. Open an image (File > Open, or Open Sample)"
    )


def _check(name: str, shape: tuple[int, ...], *, rgb: bool) -> None:
    axes = shape[:-1] if rgb else shape
    if not all(shape):
        raise ImageError(f"the layer '{name}' has shape {shape}, so no pixel; choose another layer")
    if len(axes) > 2 and axes[-1] <= MAX_CHANNELS and min(axes[-3:-1]) >= 4 * axes[-1]:
        raise ImageError(
            f"the layer '{name}' has shape {shape}: its last axis, of {axes[-1]}, looks like "
            "channels, but napari takes it for the width. Open it with "
            "viewer.add_image(data, channel_axis=-1), and choose one channel"
        )
    if prod(axes[-2:]) > MAX_PIXELS:
        raise ImageError(
            f"the layer '{name}' is {axes[-2]} x {axes[-1]} pixels; at most {MAX_PIXELS:,} can be "
            "looked at at once. Crop it, or open a coarser level"
        )
