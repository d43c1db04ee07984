"""Draw a map along the edges of its image: for the eye only, no number is made from it.

A guided filter (He, Sun and Tang, 2013) lets the map follow the image. It is then corrected until
the mean over the pixels of each lattice cell is the cell's value again, as Tobler's pycnophylactic
interpolation does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.lattice import Axis, Lattice
from napari_clip_heatmap.imaging.resample import to_image_pixels

__all__ = ["draw_along_edges"]

_REACH = 0.75
"""Radius of the filter in patches: the map knows no smaller place than a patch."""

_SMOOTH = 1e-3
"""Variance of an image in 0..1 below which the filter sees no edge."""

_ROUNDS = 8
"""Smooth corrections, before what is left is added to each cell alike."""


def draw_along_edges(
    lattice_values: NDArray[np.float32], lattice: Lattice, pixels: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return maps at image pixels that follow the edges of the image, float32 (map, y, x).

    Over the pixels whose centers are in a cell, the mean is the cell's value, to 1e-5 of the range.
    NaN where the lattice is NaN.

    Parameters
    ----------
    lattice_values : float32 (map, grid_y, grid_x)
    lattice : Lattice
    pixels : float32 (y, x, channel)
        The image, each channel in 0..1.
    """
    cells = _Cells(lattice)
    radius = tuple(
        max(1, round(_REACH * axis.patch * axis.image / axis.working))
        for axis in (lattice.y, lattice.x)
    )
    guide = pixels.mean(axis=-1)
    seen = np.isfinite(guide)
    guide[~seen] = guide[seen].mean() if seen.any() else 0
    drawn = np.empty((len(lattice_values), *lattice.image_shape), np.float32)
    for number, values in enumerate(lattice_values):
        plain = to_image_pixels(values[np.newaxis], lattice)[0]
        known = np.isfinite(plain)
        picture = _guided(np.where(known, plain, 0), guide, known, (radius[0], radius[1]))
        drawn[number] = np.where(known, _with_means(picture, values, cells, known), np.nan)
    return drawn


def _guided(
    values: NDArray[np.float32],
    guide: NDArray[np.float32],
    known: NDArray[np.bool_],
    radius: tuple[int, int],
) -> NDArray[np.float64]:
    """Return the map as a linear function of the image in each neighborhood, these averaged."""
    from scipy.ndimage import uniform_filter

    size = 2 * radius[0] + 1, 2 * radius[1] + 1
    weight = uniform_filter(known.astype(np.float64), size, mode="nearest")

    def mean(of: NDArray[np.float64]) -> NDArray[np.float64]:
        total = uniform_filter(np.where(known, of, 0), size, mode="nearest")
        averaged: NDArray[np.float64] = np.divide(
            total, weight, out=np.zeros_like(total), where=weight > 1e-9
        )
        return averaged

    image, wide = guide.astype(np.float64), values.astype(np.float64)
    mean_image, mean_map = mean(image), mean(wide)
    variance = np.maximum(mean(image * image) - mean_image**2, 0)
    slope = (mean(image * wide) - mean_image * mean_map) / (variance + _SMOOTH)
    offset = mean_map - slope * mean_image
    return mean(slope) * image + mean(offset)


class _Cells:
    """Which pixels are in which cell of a lattice."""

    def __init__(self, lattice: Lattice) -> None:
        self.lattice = lattice
        y, x = (_cell_of_pixel(axis) for axis in (lattice.y, lattice.x))
        self.at = y[:, np.newaxis] * lattice.grid[1] + x

    def means(
        self, picture: NDArray[np.float64], known: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the mean over each cell's known pixels, and which cells have any."""
        n = self.lattice.grid[0] * self.lattice.grid[1]
        count = np.bincount(self.at[known], minlength=n)
        total = np.bincount(self.at[known], picture[known], minlength=n)
        means = np.divide(total, count, out=np.zeros(n), where=count > 0)
        return means.reshape(self.lattice.grid), (count > 0).reshape(self.lattice.grid)


def _cell_of_pixel(axis: Axis) -> NDArray[np.intp]:
    centers = np.arange(axis.image) + 0.5
    found = np.searchsorted(axis.cell_edges(), centers, side="right") - 1
    return np.clip(found, 0, axis.n_cells - 1)


def _with_means(
    picture: NDArray[np.float64],
    values: NDArray[np.float32],
    cells: _Cells,
    known: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Correct a picture smoothly, and at last cell by cell, until cells have their values."""
    for left in range(_ROUNDS, -1, -1):
        means, present = cells.means(picture, known)
        lacking = np.where(present & np.isfinite(values), values - means, 0)
        if left:
            smooth = to_image_pixels(lacking.astype(np.float32)[np.newaxis], cells.lattice)[0]
            picture = picture + smooth
        else:
            picture = picture + lacking.ravel()[cells.at]
    return picture
