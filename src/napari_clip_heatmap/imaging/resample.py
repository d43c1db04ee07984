"""From lattice cells up to image pixels, as many of them as are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.lattice import Axis, Lattice

__all__ = ["WINDOW", "at_pixel", "coarser", "to_image_pixels"]

WINDOW = 1024
"""Side of the windows of image pixels in which maps are interpolated."""

_BAND = 16
"""Image pixels per matrix product: they touch few cells, and BLAS does so small a product in the
thread that asks. A larger one it splits, and while a model has all cores the window then waits for
a second thread to do its part, up to a third of a second."""


def coarser(lattice: Lattice, factor: int) -> Lattice:
    """Return the same lattice under an image of fewer pixels, each `factor` times as wide."""
    y, x = (replace(axis, image=-(-axis.image // factor)) for axis in (lattice.y, lattice.x))
    return Lattice(y, x)


def to_image_pixels(
    values: NDArray[np.float32],
    lattice: Lattice,
    y: slice | None = None,
    x: slice | None = None,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Interpolate maps bilinearly from lattice cells to image pixels: ``B_y @ values @ B_x.T``.

    Cell and pixel centres lie where they really are, whatever the ratio of their sizes; pixels
    beyond the outermost cell centres take those cells' values. A rectangle has exactly the values
    that it has in the whole. A cell of NaN has no say: pixels whose own cell is NaN are NaN, the
    others are made of the rest.

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
    """Interpolate maps at one image pixel, from the few cells that it sees.

    Equal to `to_image_pixels` but for the last digits, and without its windows: for a cursor.

    Returns
    -------
    float32 (map,)
    """
    return _window(values, lattice, slice(y, y + 1), slice(x, x + 1), _bands)[:, 0, 0]


def _tiling(wanted: slice, length: int) -> Iterator[tuple[slice, slice, slice]]:
    """Cut a range at multiples of `WINDOW`: its place in the range, the window, and in that."""
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
    """Interpolate one window: always the same products, so always the same last digits."""
    bands_y, bands_x = bands(lattice.y, y.start, y.stop), bands(lattice.x, x.start, x.stop)
    first, last = bands_y[0][1].start, bands_y[-1][1].stop
    near = values[:, first:last]
    known = np.isfinite(near[..., bands_x[0][1].start : bands_x[-1][1].stop])
    if known.all():
        return _product(near, bands_y, bands_x, first)
    # Known values averaged among themselves; what is beyond half a cell from them stays NaN.
    known = np.isfinite(near)
    total = _product(np.where(known, near, np.float32(0)), bands_y, bands_x, first)
    share = _product(known.astype(np.float32), bands_y, bands_x, first)
    own = known[:, _own_cells(lattice.y, y) - first][..., _own_cells(lattice.x, x)]
    share[~own] = np.nan
    interpolated: NDArray[np.float32] = total / share
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
    """Return the interpolation matrix in blocks: pixels, the few cells they see, (pixel, cell).

    Pixels are counted from the window's first. The whole matrix holds two numbers per row; its
    blocks make 5 maps of 2048 x 2048 four times faster than the whole does.
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
"""While a user types, the same windows are interpolated again and again."""
