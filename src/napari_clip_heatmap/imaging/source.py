"""Working pixels of an image of any size, read where they are needed."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.channel import Channel, as_channels, load
from napari_clip_heatmap.imaging.lattice import Lattice, reflect
from napari_clip_heatmap.imaging.resample import Sampling
from napari_clip_heatmap.imaging.statistics import summarize
from napari_clip_heatmap.imaging.validity import Validity
from napari_clip_heatmap.imaging.view import Appearance, Tone, View

__all__ = ["ImageSource", "Pixels", "as_rgb", "is_blank", "read_tile", "sketch"]


_BLOCK = 256
"""Working pixels along a block's side, unless that needs more stored ones than `_STORED`."""

_STORED = 2048
"""Stored pixels along the side of a rectangle that is read at once."""

_KEPT = 128 * 2**20
"""Bytes of blocks that are cached, because overlapping tiles read pixels several times."""


class ImageSource:
    """An image as the model sees it: averaged down over areas, and colored.

    Stored values are averaged first and colored afterwards, as a viewer does with a pyramid. Of
    several levels the coarsest that is fine enough is read, and only the part that is needed. The
    same blocks are computed for every request, so that a pixel's value depends neither on the
    request nor on how the image is stored.

    Parameters
    ----------
    channels : sequence of Channel
        Of one shape; see `as_channels`.
    appearance : Appearance
        From `View.appearance`.
    shape : (y, x)
        Working pixels.
    field : ((y0, x0), (y1, x1)), optional
        The field that they cover, in image pixels; by default the whole image.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        appearance: Appearance,
        shape: tuple[int, int],
        field: tuple[tuple[float, float], tuple[float, float]] | None = None,
    ) -> None:
        image_shape = channels[0].shape
        low, high = field or ((0.0, 0.0), image_shape)
        self.shape = shape
        self.validity = Validity(image_shape)
        self.appearance = appearance
        self._shown = tuple(
            _shown(channel, tone, shape, low, high)
            for channel, tone in zip(channels, appearance.tones, strict=True)
        )
        self._side = tuple(
            max(1, min(_BLOCK, int(_STORED / max(each.steps[axis] for each in self._shown))))
            for axis in (0, 1)
        )
        self._blocks: OrderedDict[tuple[int, int], NDArray[np.float32]] = OrderedDict()
        self._kept = 0
        self._lock = threading.Lock()

    @property
    def n_stored(self) -> float:
        """Number of stored pixels of all channels that must be read for the whole field."""
        area = self.shape[0] * self.shape[1]
        return sum(each.steps[0] * each.steps[1] * area for each in self._shown)

    def read(self, y: slice, x: slice) -> NDArray[np.float32]:
        """Return the colors of a rectangle of working pixels, float32 (y, x, 3) in 0..1.

        Invalid pixels get the mean color of the image; `validity` knows them.

        Raises
        ------
        ImageError
            The image has no valid pixel.
        """
        out = np.empty((y.stop - y.start, x.stop - x.start, 3), np.float32)
        rows, columns = self._side
        for row in range(y.start // rows, -(-y.stop // rows)):
            for column in range(x.start // columns, -(-x.stop // columns)):
                in_y, at_y = _overlap(row * rows, rows, y)
                in_x, at_x = _overlap(column * columns, columns, x)
                out[at_y, at_x] = self._block(row, column)[in_y, in_x]
        return out

    def _block(self, row: int, column: int) -> NDArray[np.float32]:
        with self._lock:
            if (row, column) in self._blocks:
                self._blocks.move_to_end((row, column))
                return self._blocks[row, column]
        y, x = (
            slice(index * side, min((index + 1) * side, length))
            for index, side, length in zip((row, column), self._side, self.shape, strict=True)
        )
        block = self.appearance.compose([each.read(y, x, self.validity) for each in self._shown])
        with self._lock:
            if (row, column) not in self._blocks:
                self._blocks[row, column] = block
                self._kept += block.nbytes
            while self._kept > _KEPT and len(self._blocks) > 1:
                self._kept -= self._blocks.popitem(last=False)[1].nbytes
        return block


def read_tile(source: ImageSource, lattice: Lattice, tile: tuple[int, int]) -> NDArray[np.float32]:
    """Return what the model sees in one tile, float32 (tile_y, tile_x, 3) in 0..1.

    Only the tile's pixels are read; outside the image it sees the image's reflection.
    """
    y = reflect(lattice.y.pixels(tile[0]), lattice.y.working)
    x = reflect(lattice.x.pixels(tile[1]), lattice.x.working)
    block = source.read(slice(y.min(), y.max() + 1), slice(x.min(), x.max() + 1))
    return block[np.ix_(y - y.min(), x - x.min())]


def is_blank(tile: NDArray[np.float32]) -> bool:
    """Return whether all pixels of a tile, (tile_y, tile_x, 3), have the same color."""
    first = tile[0, 0]
    # For nearly every tile the first row decides, at a hundredth of the cost.
    return bool((tile[0] == first).all() and (tile == first).all())


@dataclass(frozen=True, eq=False)
class _Shown:
    """One channel, the level that is read, and how it is averaged and shown."""

    channel: Channel
    level: Any
    tone: Tone
    y: Sampling
    x: Sampling

    @property
    def steps(self) -> tuple[float, float]:
        """Stored pixels per working pixel."""
        return self.y.step, self.x.step

    def read(self, y: slice, x: slice, validity: Validity) -> NDArray[np.float32]:
        """Return the channel's colors, float32 (y, x, 1|3)."""
        rows, columns = self.y.needed(y), self.x.needed(x)
        values = load(self.level, rows, columns)
        validity.note(self.level.shape[:2], rows, columns, values.valid)

        def averaged(numbers: NDArray[Any]) -> NDArray[Any]:
            along_y = self.y.average(numbers, y)
            return self.x.average(along_y.swapaxes(0, 1), x).swapaxes(0, 1)

        opacity, colors = values.opacity, values.colors
        if opacity is not None:
            colors, opacity = averaged(colors * opacity), averaged(opacity)
        else:
            colors = averaged(colors)
        if values.valid is None:
            return self.tone(colors, opacity)
        counted = averaged(values.valid[..., np.newaxis].astype(colors.dtype))
        # A fraction of valid pixels that is only rounding does not count.
        known = counted[..., 0] > 1e-4
        counted[~known] = 1
        with np.errstate(over="ignore"):  # by rounding, of values near the largest of their type
            colors = colors / counted
        shown = self.tone(colors, None if opacity is None else opacity / counted)
        if not known.all():
            shown = np.array(shown)
            shown[~known] = self._mean_color
        return shown

    @cached_property
    def _mean_color(self) -> NDArray[np.float32]:
        try:
            known = summarize(self.channel)
        except ImageError:
            if self.channel.limits is None:
                raise
            # The few pixels read of a large image are all invalid: any color will do.
            return np.zeros(1, np.float32)
        has_opacity = len(self.level.shape) == 3 and self.level.shape[2] == 4
        opacity = np.full((1, 1, 1), known.opacity) if has_opacity else None
        color: NDArray[np.float32] = self.tone(known.mean[np.newaxis, np.newaxis], opacity)[0, 0]
        return color


def _shown(
    channel: Channel,
    tone: Tone,
    shape: tuple[int, int],
    low: tuple[float, float],
    high: tuple[float, float],
) -> _Shown:
    """Choose the coarsest level whose pixels are no larger than working pixels."""
    wanted = [(high[axis] - low[axis]) / shape[axis] for axis in (0, 1)]
    chosen = channel.levels[0]
    for level in channel.levels[1:]:
        sizes = [channel.shape[axis] / level.shape[axis] for axis in (0, 1)]
        # A level of 500 of 1001 pixels is meant as half of it, and is fine enough for 2.
        if all(size <= want * 1.01 for size, want in zip(sizes, wanted, strict=True)):
            chosen = level
    y, x = (
        Sampling(
            stored=int(chosen.shape[axis]),
            start=low[axis] * chosen.shape[axis] / channel.shape[axis],
            step=(high[axis] - low[axis]) * chosen.shape[axis] / channel.shape[axis] / shape[axis],
        )
        for axis in (0, 1)
    )
    return _Shown(channel, chosen, tone, y, x)


def _overlap(first: int, side: int, wanted: slice) -> tuple[slice, slice]:
    """Return the overlap of a block with a range, counted in the block and in the range."""
    low, high = max(first, wanted.start), min(first + side, wanted.stop)
    return slice(low - first, high - first), slice(low - wanted.start, high - wanted.start)


@dataclass(frozen=True, eq=False)
class Pixels:
    """A whole image as the model may see it.

    Parameters
    ----------
    rgb : float32 (y, x, 3)
        Colors in 0..1, finite everywhere.
    valid : bool (y, x)
        False where the image was NaN, infinite or masked; ``rgb`` has the mean color there.
    """

    rgb: NDArray[np.float32]
    valid: NDArray[np.bool_]


def as_rgb(image: ArrayLike) -> Pixels:
    """Return an image's colors in 0..1, as `View` shows an array by default.

    Transparent pixels are shown over black, as in a viewer. NaN, infinity and the masked values of
    a `numpy.ma.MaskedArray` are ignored.

    Parameters
    ----------
    image : array (y, x), (y, x, 3) or (y, x, 4)
        Gray, RGB or RGBA, of any boolean, integer or real floating type.

    Returns
    -------
    Pixels

    Raises
    ------
    ImageError
        The array has no pixel, another shape or type, or no valid pixel at all.
    """
    channels = as_channels(image)
    height, width = channels[0].shape
    source = ImageSource(channels, View().appearance(channels), (height, width))
    rgb = source.read(slice(0, height), slice(0, width))
    valid = source.validity.read(np.arange(height) + 0.5, np.arange(width) + 0.5)
    return Pixels(rgb, np.ones((height, width), bool) if valid is None else valid)


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
