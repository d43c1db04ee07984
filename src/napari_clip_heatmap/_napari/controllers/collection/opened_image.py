"""An encoded image as layers: its pixels, where they are on this machine, and a map of words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.batch.collection.encoded_collection import image_of_item
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.resample import coarse_placement
from napari_clip_heatmap.imaging.resolution import unit_symbol

if TYPE_CHECKING:
    from napari_clip_heatmap.annotation.geometry import PixelSize
    from napari_clip_heatmap.batch.collection.encoded_collection import (
        CollectionItem,
        EncodedCollection,
    )
    from napari_clip_heatmap.imaging.channel import Channel
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.scoring import Scoring

__all__ = ["OpenedImage", "map_layer", "placed", "read_item"]

_LARGEST_MAP = 4096
"""Longest side of a map in pixels: one that is finer would only be interpolated."""

_LAZY = 2**25
"""Pixels from which an image is read where it is looked at."""

_CHUNK = 1024


@dataclass(frozen=True, eq=False)
class OpenedImage:
    """What is to be shown of an image.

    Parameters
    ----------
    layers : tuple of dict
        As `napari.components.ViewerModel.add_image` takes them.
    message : str
        What was opened, and what of it is not here.
    pixel_size : PixelSize, optional
        What a pixel of the image measures, where its file says it.
    """

    layers: tuple[dict[str, Any], ...]
    message: str
    pixel_size: PixelSize | None = None


def read_item(collection: EncodedCollection, item: CollectionItem, words: str) -> OpenedImage:
    """Read an image and the map of words over it; without words the image alone.

    Raises
    ------
    ImageError
        The encoding is gone; or the image is not here, and there are no words for a map.
    PromptError, ModelLoadError
        The words cannot be read, or the model's text tower is not here.
    """
    encoding = collection.open(item)
    layers: list[dict[str, Any]] = []
    message, size = f"{item.name} is open", None
    try:
        channels, size = image_of_item(item)
        layers += _of_pixels(channels, item.name)
    except ImageError as error:
        if not words:
            raise
        message = f"The map of {item.name} alone is open: {error}"
    if words:
        layers.append(map_layer(encoding, collection.scoring(words), 0))
    return OpenedImage(tuple(placed(layer, size) for layer in layers), message, size)


def placed(layer: dict[str, Any], size: PixelSize | None) -> dict[str, Any]:
    """Return a layer that was laid out in image pixels, laid out by what a pixel measures."""
    if size is None:
        return layer
    pixel = np.array([size.y, size.x])
    return {
        **layer,
        "scale": pixel * layer.get("scale", 1),
        "translate": pixel * layer.get("translate", 0),
        "units": (unit_symbol(size.unit),) * 2,
    }


def _of_pixels(channels: Any, name: str) -> Iterator[dict[str, Any]]:
    """Yield a layer for each channel, as it was shown to the model."""
    for number, channel in enumerate(channels):
        levels = [_array(level) for level in channel.levels]
        suffix = f" channel {number}" if len(channels) > 1 else ""
        yield {
            "data": levels if len(levels) > 1 else levels[0],
            "multiscale": len(levels) > 1,
            "rgb": channel.n_colors == 3,
            "name": f"{name}{suffix}",
            **_look(channel, alone=len(channels) == 1),
        }


def _look(channel: Channel, *, alone: bool) -> dict[str, Any]:
    look: dict[str, Any] = {} if alone else {"blending": "additive"}
    if channel.n_colors == 3:
        return look
    if channel.limits is not None:
        look["contrast_limits"] = channel.limits
    if channel.lut is not None:
        look["colormap"] = np.asarray(channel.lut)
    return look


def _array(level: Any) -> Any:
    """Return pixels in memory, or of large images as an array that is read where it is shown."""
    shape = tuple(int(length) for length in level.shape)
    every = (slice(None),) * len(shape)
    if shape[0] * shape[1] <= _LAZY:
        return np.asarray(level[every])
    import dask.array

    da: Any = dask.array  # parts of it have no types
    chunks = (_CHUNK, _CHUNK, *shape[2:])
    # Without a name that is a hash of the pixels: all of them would be read for it.
    empty = np.empty((0,) * len(shape), level.dtype)
    return da.from_array(_Level(level), chunks, name=False, fancy=False, meta=empty)


class _Level:
    """A level with what Dask wants to know of an array."""

    def __init__(self, level: Any) -> None:
        self._level = level
        self.shape = tuple(int(length) for length in level.shape)
        self.dtype: np.dtype[Any] = np.dtype(level.dtype)
        self.ndim = len(self.shape)

    def __getitem__(self, key: tuple[slice, ...]) -> NDArray[Any]:
        return np.asarray(self._level[key])


def map_layer(encoding: Encoding, scoring: Scoring, number: int) -> dict[str, Any]:
    """Return the map of one prompt of a scoring, as `ViewerModel.add_image` takes it."""
    maps = encoding.lazy_maps(scoring)
    factor = max(1, -(-max(encoding.image_shape) // _LARGEST_MAP))
    (values,) = maps.window(factor=factor, maps=slice(number, number + 1))
    low, high = (float(each) for each in maps.limits[number])
    return {
        "data": values,
        "name": scoring.prompts[number],
        "colormap": "jet",
        "blending": "translucent_no_depth",
        "opacity": 0.5,
        "contrast_limits": (low, high) if low < high else None,
        **coarse_placement(encoding.lattice, factor),
        "metadata": {
            "similarity": float(maps.similarity[number]),
            "encoding": encoding.describe(),
        },
    }
