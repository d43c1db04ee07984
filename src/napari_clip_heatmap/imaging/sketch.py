"""A small picture of an image or a part of it, made quickly: for previews and thumbnails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.source import ImageSource
from napari_clip_heatmap.imaging.view import Appearance

__all__ = ["sketch"]

_AT_ONCE = 2**22
"""Images of up to this many stored pixels are read and averaged."""

_WINDOW = 32
"""Stored pixels along the side of a sample of a larger image."""

_AT_LEAST = 4
"""Samples per side that are always taken."""


def sketch(
    channels: Sequence[Channel],
    appearance: Appearance,
    shape: tuple[int, int],
    field: tuple[tuple[float, float], tuple[float, float]] | None = None,
    *,
    seconds: float = 0.3,
    clock: Callable[[], float] = time.monotonic,
) -> NDArray[np.float32]:
    """Return an image reduced to a few pixels, in the colors that the model sees.

    If a coarse level is stored, or the image is small, every new pixel is the mean over its area.
    Otherwise the whole image would have to be read, so it is sampled: first sparsely, then twice as
    densely, and so on until the time is over. Each sample fills the area around it.

    Parameters
    ----------
    channels, appearance, field
        As `ImageSource` takes them.
    shape : (y, x)
        Of the picture.
    seconds : float
        Time for sampling.
    clock : callable() -> float
        Used instead of the system clock, in tests.

    Returns
    -------
    float32 (y, x, 3)
        In 0..1.
    """
    source = ImageSource(channels, appearance, shape, field)
    if source.n_stored <= _AT_ONCE * len(channels):
        return source.read(slice(0, shape[0]), slice(0, shape[1]))
    low, high = field or ((0.0, 0.0), channels[0].shape)
    picture = np.zeros((*shape, 3), np.float32)
    end = clock() + seconds
    for y, x, many in _halvings(shape):
        if many > _AT_LEAST and clock() > end:
            break
        picture[y, x] = _sample(channels, appearance, shape, (low, high), (y, x))
    return picture


def _sample(
    channels: Sequence[Channel],
    appearance: Appearance,
    shape: tuple[int, int],
    field: tuple[tuple[float, float], tuple[float, float]],
    at: tuple[slice, slice],
) -> NDArray[np.float32]:
    """Return the mean color of a window of stored pixels in the middle of some picture pixels."""
    low, high = field
    spans = []
    for axis in (0, 1):
        step = (high[axis] - low[axis]) / shape[axis]
        middle = low[axis] + step * (at[axis].start + at[axis].stop) / 2
        half = min(step, _WINDOW) / 2
        spans.append((middle - half, middle + half))
    (top, bottom), (left, right) = spans
    window = ImageSource(channels, appearance, (1, 1), ((top, left), (bottom, right)))
    return window.read(slice(0, 1), slice(0, 1))


def _halvings(shape: tuple[int, int]) -> Iterator[tuple[slice, slice, int]]:
    """Yield smaller and smaller blocks of a picture, and the number of blocks per side."""
    many, most = _AT_LEAST, max(shape)
    while True:
        y, x = (np.linspace(0, length, min(many, length) + 1).astype(int) for length in shape)
        for top, bottom in pairwise(y):
            for left, right in pairwise(x):
                yield slice(int(top), int(bottom)), slice(int(left), int(right)), many
        if many >= most:
            return
        many = min(many * 2, most)
