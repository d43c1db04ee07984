"""Change the number of pixels: an image down to what the model looks at, a lattice up to pixels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.lattice import Axis, Lattice
from napari_clip_heatmap.imaging.opencv import cv2

__all__ = ["resize", "to_image_pixels"]

_BAND = 64
"""Image pixels per matrix product: long enough for BLAS, short enough to touch few cells."""


def resize(rgb: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Resize colours to another shape, area-averaged where that shrinks them.

    Parameters
    ----------
    rgb : float32 (y, x, 3)
    shape : (y, x)
        Both no larger, or both no smaller, than the image's.

    Returns
    -------
    float32 (y, x, 3)
        Each new pixel is the mean over the area it covers, also for a ratio that is no integer;
        bilinear when enlarged. The image itself if the shape stays.
    """
    if rgb.shape[:2] == shape:
        return rgb
    shrinks = shape[0] <= rgb.shape[0] and shape[1] <= rgb.shape[1]
    resized: NDArray[np.float32] = cv2.resize(
        np.ascontiguousarray(rgb),
        (shape[1], shape[0]),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    return resized


def to_image_pixels(values: NDArray[np.float32], lattice: Lattice) -> NDArray[np.float32]:
    """Interpolate maps bilinearly from lattice cells to image pixels: ``B_y @ values @ B_x.T``.

    Cell and pixel centres lie where they really are, whatever the ratio of their sizes; pixels
    beyond the outermost cell centres take those cells' values.

    Parameters
    ----------
    values : float32 (map, grid_y, grid_x)
    lattice : Lattice

    Returns
    -------
    float32 (map, y, x)
        In the unit of `values`.
    """
    n_maps, grid_y, _ = values.shape
    height, width = lattice.image_shape
    wide = np.empty((n_maps, grid_y, width), np.float32)
    for pixels, cells, weights in _bands(lattice.x):
        np.matmul(values[..., cells], weights.T, out=wide[..., pixels])
    full = np.empty((n_maps, height, width), np.float32)
    for pixels, cells, weights in _bands(lattice.y):
        np.matmul(weights, wide[:, cells], out=full[:, pixels])
    return full


def _bands(axis: Axis) -> Iterator[tuple[slice, slice, NDArray[np.float32]]]:
    """Yield the interpolation matrix in blocks: pixels, the few cells they see, (pixel, cell).

    The whole matrix holds two numbers per row; its blocks make 5 maps of 2048 x 2048 four times
    faster than the whole does.
    """
    positions = axis.cell_positions()
    left = np.minimum(positions.astype(np.intp), max(axis.n_cells - 2, 0))
    for first in range(0, axis.image, _BAND):
        pixels = slice(first, min(first + _BAND, axis.image))
        cells = slice(int(left[pixels][0]), min(int(left[pixels][-1]) + 2, axis.n_cells))
        distance = np.abs(positions[pixels, np.newaxis] - np.arange(cells.start, cells.stop))
        yield pixels, cells, np.maximum(1 - distance, 0).astype(np.float32)
