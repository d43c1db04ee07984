"""What the viewer shows of image layers, as channels that the model can look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.plane import Plane

if TYPE_CHECKING:
    from napari.layers import Image
    from numpy.typing import NDArray

__all__ = ["channels_of", "fits"]

LUT_STEPS = 1024
"""As finely as napari's own colormap texture, so a model sees the same colours."""


def fits(layer: Image, image: Image) -> bool:
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
        if not fits(other, image):
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
