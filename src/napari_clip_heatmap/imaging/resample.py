"""Interpolate maps from lattice cells to image pixels, and average image pixels down."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.lattice import Axis, Lattice

__all__ = [
    "WINDOW",
    "Sampling",
    "at_pixel",
    "coarse_placement",
    "coarser",
    "pixel_range",
    "to_image_pixels",
]


WINDOW = 1024
"""Side of the windows of image pixels in which maps are interpolated."""

_BAND = 16
"""Image pixels per matrix product: few, so that BLAS computes it in the calling thread. It would
split a larger one, and while a model uses all cores the window would wait for another thread, up
to a third of a second."""


def coarser(lattice: Lattice, factor: int) -> Lattice:
    """Return the same lattice for an image of fewer pixels, each `factor` times as wide."""
    y, x = (replace(axis, image=-(-axis.image // factor)) for axis in (lattice.y, lattice.x))
    return Lattice(y, x)


def coarse_placement(lattice: Lattice, factor: int) -> dict[str, tuple[float, float]]:
    """Return where the pixels of `coarser` lie, in image pixels from the center of the first.

    Returns
    -------
    dict
        ``scale``, the size of a pixel along y and x, which is not `factor` where the image is no
        multiple of it; and ``translate``, where the center of the first one lies.
    """
    sizes = zip(lattice.image_shape, coarser(lattice, factor).image_shape, strict=True)
    y, x = (full / now for full, now in sizes)
    return {"scale": (y, x), "translate": ((y - 1) / 2, (x - 1) / 2)}


def to_image_pixels(
    values: NDArray[np.float32],
    lattice: Lattice,
    y: slice | None = None,
    x: slice | None = None,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Interpolate maps bilinearly from lattice cells to image pixels: ``B_y @ values @ B_x.T``.

    Cell and pixel centers are at their exact positions, for any ratio of their sizes. Pixels beyond
    the outermost cell centers take those cells' values. A rectangle has exactly the values that it
    has in the whole map. Pixels in a NaN cell are NaN; others are interpolated without NaN cells.

    Parameters
    ----------
    values : float32 (map, grid_y, grid_x)
    lattice : Lattice
    y, x : slice, optional
        Rows and columns of image pixels; by default all.
    out : float32 (map, y, x), optional
        Filled, and returned.

    Returns
    -------
    float32 (map, y, x)
        In the unit of `values`.
    """
    rows, columns = y or slice(0, lattice.y.image), x or slice(0, lattice.x.image)
    if out is None:
        shape = (len(values), rows.stop - rows.start, columns.stop - columns.start)
        out = np.empty(shape, np.float32)
    for into_y, window_y, from_y in _tiling(rows, lattice.y.image):
        for into_x, window_x, from_x in _tiling(columns, lattice.x.image):
            window = _window(values, lattice, window_y, window_x, _kept_bands)
            out[:, into_y, into_x] = window[:, from_y, from_x]
    return out


def at_pixel(values: NDArray[np.float32], lattice: Lattice, y: int, x: int) -> NDArray[np.float32]:
    """Interpolate maps at one image pixel, from the few cells around it.

    Equal to `to_image_pixels` up to rounding, but without its windows: for a cursor.

    Returns
    -------
    float32 (map,)
    """
    return _window(values, lattice, slice(y, y + 1), slice(x, x + 1), _bands)[:, 0, 0]


def pixel_range(values: NDArray[np.float32], lattice: Lattice) -> NDArray[np.float32]:
    """Return the lowest and highest pixel of each map, without interpolating all pixels.

    Between four cell centers a map is linear along each axis, so that its extremes are at the
    outermost pixels there.

    Parameters
    ----------
    values : float32 (map, grid_y, grid_x)
        All finite.
    lattice : Lattice

    Returns
    -------
    float32 (map, 2)
        Equal to the range of `to_image_pixels` up to rounding.
    """
    ends_y, ends_x = _outermost(lattice.y), _outermost(lattice.x)
    ranges = np.empty((len(values), 2), np.float32)
    for number, cells in enumerate(values):  # one at a time: what a processor keeps close by
        corners = [
            pixels for rows in _at_ends(cells.T, ends_y) for pixels in _at_ends(rows.T, ends_x)
        ]
        ranges[number] = min(map(np.min, corners)), max(map(np.max, corners))
    return ranges


_Ends = tuple[NDArray[np.intp], NDArray[np.intp], tuple[NDArray[np.float32], NDArray[np.float32]]]


def _at_ends(values: NDArray[np.float32], ends: _Ends) -> Iterator[NDArray[np.float32]]:
    """Interpolate the last axis at the first pixel between each two cells, then at the last one."""
    left, right, weights = ends
    low = values[:, left]
    step = values[:, right] - low
    for weight in weights:
        yield low + weight * step


@lru_cache(maxsize=32)
def _outermost(axis: Axis) -> _Ends:
    """Return the cells left and right of where pixels are, and how far the outermost are along."""
    positions = axis.cell_positions()
    left = np.minimum(positions.astype(np.intp), max(axis.n_cells - 2, 0))
    first = np.flatnonzero(np.diff(left, prepend=-1))
    last = np.append(first[1:], len(left)) - 1
    cells = left[first]
    at_first, at_last = ((positions[ends] - cells).astype(np.float32) for ends in (first, last))
    return cells, np.minimum(cells + 1, axis.n_cells - 1), (at_first, at_last)


def _tiling(wanted: slice, length: int) -> Iterator[tuple[slice, slice, slice]]:
    """Cut a range at multiples of `WINDOW`: slice of the range, the window, slice of the window."""
    for start in range(wanted.start // WINDOW * WINDOW, wanted.stop, WINDOW):
        window = slice(start, min(start + WINDOW, length))
        low, high = max(start, wanted.start), min(window.stop, wanted.stop)
        yield (
            slice(low - wanted.start, high - wanted.start),
            window,
            slice(low - start, high - start),
        )


def _window(
    values: NDArray[np.float32],
    lattice: Lattice,
    y: slice,
    x: slice,
    bands: Callable[[Axis, int, int], _Bands],
) -> NDArray[np.float32]:
    """Interpolate one window: always the same products, so always the same rounding."""
    bands_y, bands_x = bands(lattice.y, y.start, y.stop), bands(lattice.x, x.start, x.stop)
    first, last = bands_y[0][1].start, bands_y[-1][1].stop
    near = values[:, first:last]
    known = np.isfinite(near[..., bands_x[0][1].start : bands_x[-1][1].stop])
    if known.all():
        return _product(near, bands_y, bands_x, first)
    # Known values are averaged; pixels more than half a cell away from them stay NaN.
    known = np.isfinite(near)
    total = _product(np.where(known, near, np.float32(0)), bands_y, bands_x, first)
    known_weight = _product(known.astype(np.float32), bands_y, bands_x, first)
    own = known[:, _own_cells(lattice.y, y) - first][..., _own_cells(lattice.x, x)]
    known_weight[~own] = np.nan
    interpolated: NDArray[np.float32] = total / known_weight
    return interpolated


_Bands = tuple[tuple[slice, slice, NDArray[np.float32]], ...]


def _product(
    values: NDArray[np.float32], bands_y: _Bands, bands_x: _Bands, first: int
) -> NDArray[np.float32]:
    wide = np.empty((*values.shape[:2], bands_x[-1][0].stop), np.float32)
    for pixels, cells, weights in bands_x:
        np.matmul(values[..., cells], weights.T, out=wide[..., pixels])
    full = np.empty((len(values), bands_y[-1][0].stop, wide.shape[2]), np.float32)
    for pixels, cells, weights in bands_y:
        near = slice(cells.start - first, cells.stop - first)
        np.matmul(weights, wide[:, near], out=full[:, pixels])
    return full


def _own_cells(axis: Axis, pixels: slice) -> NDArray[np.intp]:
    return np.floor(axis.cell_positions(pixels) + 0.5).astype(np.intp)


def _bands(axis: Axis, start: int, stop: int) -> _Bands:
    """Return the interpolation matrix in blocks: pixels, their cells, weights (pixel, cell).

    Pixels are counted from the window's first. Each row has only two nonzero weights; in blocks, 5
    maps of 2048 x 2048 take a quarter of the time.
    """
    positions = axis.cell_positions(slice(start, stop))
    left = np.minimum(positions.astype(np.intp), max(axis.n_cells - 2, 0))
    bands = []
    for first in range(0, len(positions), _BAND):
        pixels = slice(first, min(first + _BAND, len(positions)))
        cells = slice(int(left[pixels][0]), min(int(left[pixels][-1]) + 2, axis.n_cells))
        distance = np.abs(positions[pixels, np.newaxis] - np.arange(cells.start, cells.stop))
        bands.append((pixels, cells, np.maximum(1 - distance, 0).astype(np.float32)))
    return tuple(bands)


_kept_bands = lru_cache(maxsize=128)(_bands)
"""While a user types, the same windows are interpolated many times."""


_ROWS = 32
"""Working pixels per matrix product; the whole matrix is almost all zeros."""


_MOST_ADDED = 16
"""Stored pixels that are added one after another; of more, a matrix product is as quick."""


@dataclass(frozen=True)
class Sampling:
    """Working pixels as weighted sums of stored ones, along one axis.

    Working pixel ``i`` covers the interval from ``start + i * step`` to ``start + (i + 1) * step``
    of the stored axis, whose pixel ``j`` is the interval from ``j`` to ``j + 1``.

    Parameters
    ----------
    stored : int
        Length of the stored axis, in its pixels.
    start : float
        Start of working pixel 0, in stored pixels.
    step : float
        Width of a working pixel, in stored pixels.
    """

    stored: int
    start: float
    step: float

    def needed(self, working: slice) -> slice:
        """Return the stored pixels that some working pixels are averaged from; at least one."""
        if self.step < 1:  # the two stored centers around each working center
            low = math.floor(self.start + (working.start + 0.5) * self.step - 0.5)
            high = math.floor(self.start + (working.stop - 0.5) * self.step - 0.5) + 2
        else:
            # A tiny part of the next pixel is rounding: 3 * (10 / 3) is 10.000000000000002.
            low = math.floor(self.start + working.start * self.step + 1e-6)
            high = math.ceil(self.start + working.stop * self.step - 1e-6)
        low = min(max(low, 0), self.stored - 1)
        return slice(low, max(min(high, self.stored), low + 1))

    def weights(self, working: slice) -> NDArray[np.float64] | None:
        """Return the weight of each needed pixel in each working pixel; None if they are the same.

        Returns
        -------
        float64 (working pixel, stored pixel), optional
            Rows sum to 1. Fractions of the area, or for working pixels narrower than stored ones
            linear interpolation between centers (constant beyond the outermost ones).
        """
        if self.step == 1 and self.start == int(self.start):
            return None
        needed = self.needed(working)
        stored = np.arange(needed.start, needed.stop)
        begin = self.start + np.arange(working.start, working.stop)[:, np.newaxis] * self.step
        if self.step < 1:
            centers = np.clip(begin + self.step / 2 - 0.5, 0, self.stored - 1)
            fractions = np.maximum(1 - np.abs(centers - stored), 0)
        else:
            end = np.minimum(begin + self.step, stored + 1)
            fractions = np.maximum(end - np.maximum(begin, stored), 0)
        weights: NDArray[np.float64] = fractions / fractions.sum(axis=1, keepdims=True)
        return weights

    def average(self, numbers: NDArray[Any], working: slice) -> NDArray[Any]:
        """Average stored pixels to working pixels, along the first axis.

        Parameters
        ----------
        numbers : float32 or float64 (stored pixel, other, color)
            Those of `needed`.
        working : slice

        Returns
        -------
        the same type (working pixel, other, color)
        """
        if self.weights(slice(working.start, working.start + 1)) is None:
            return numbers
        if self._adds_whole(working):
            # Divided first: a sum of large numbers might overflow.
            shares = numbers / numbers.dtype.type(self.step)
            parts = shares.reshape(-1, int(self.step), *numbers.shape[1:])
            mean: NDArray[Any] = reduce(np.add, np.moveaxis(parts, 1, 0))
            return mean
        first, (_, *others) = self.needed(working).start, numbers.shape
        flat = np.ascontiguousarray(numbers).reshape(len(numbers), -1)
        averaged = np.empty((working.stop - working.start, flat.shape[1]), flat.dtype)
        for low in range(working.start, working.stop, _ROWS):
            band = slice(low, min(low + _ROWS, working.stop))
            needed, weights = self.needed(band), self.weights(band)
            averaged[low - working.start : band.stop - working.start] = (
                np.asarray(weights, flat.dtype) @ flat[needed.start - first : needed.stop - first]
            )
        return averaged.reshape(-1, *others)

    def _adds_whole(self, working: slice) -> bool:
        """Tell whether working pixels are means of a few whole stored ones, which is quick."""
        ends = (self.start + each * self.step for each in (working.start, working.stop))
        inside = all(0 <= end <= self.stored and end == int(end) for end in ends)
        return inside and 1 < self.step <= _MOST_ADDED and self.step == int(self.step)
