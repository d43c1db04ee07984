"""Local maxima of a map: seeds and points."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.imaging.lattice import Axis, Lattice

__all__ = ["Peaks", "central_pixels", "find_peaks", "prominent_cells"]

_PROMINENCE = 0.2
"""How far a peak must rise above the valley to a higher one for two objects to be split there, in
units of what the map rises above the threshold. Patches differ by chance within one object, so
every local maximum would split too much."""


class Peaks(NamedTuple):
    """Local maxima of one map, the highest first.

    Attributes
    ----------
    positions : float64 (peak, 2)
        y and x in image pixels, whole numbers at pixel centers (as napari's Points and
        scikit-image count).
    values : float32 (peak,)
        Of the map, at the patch of the peak.
    labels : int32 (peak,)
        The connected area above the threshold to which the patch's central pixel belongs, numbered
        as `Heatmaps.objects` numbers them; peaks of one area share its number. 0 where that pixel,
        a little off the center of its patch, is not above the threshold.
    """

    positions: NDArray[np.float64]
    values: NDArray[np.float32]
    labels: NDArray[np.int32]


def find_peaks(
    lattice_values: NDArray[np.float32],
    lattice: Lattice,
    *,
    threshold: float,
    min_distance: float = 0.0,
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.intp]]:
    """Return positions, values and patches of the maxima of one map that are above a threshold.

    A map interpolated between patches has its maxima at patch centers, so they are looked for
    there; between its neighbors, a peak is then moved to the top of the parabola through the three.

    Parameters
    ----------
    lattice_values : float32 (grid_y, grid_x)
        NaN where nothing is known.
    lattice : Lattice
    threshold : float
        In the unit of the map. NaN finds nothing.
    min_distance : float
        Image pixels that two peaks are apart, patch to patch; of nearer ones the higher is kept.

    Raises
    ------
    SettingsError
        The distance is negative or no number.

    Returns
    -------
    positions : float64 (peak, 2)
        As in `Peaks`.
    values : float32 (peak,)
    cells : int (peak, 2)
    """
    distance = _distance_in_patches(min_distance, lattice)
    above = np.isfinite(lattice_values) & (lattice_values > threshold)
    if not above.any():
        return np.zeros((0, 2)), np.zeros(0, np.float32), np.zeros((0, 2), np.intp)
    from skimage.morphology import local_maxima  # deferred: it takes a second to import

    floor = lattice_values[above].min() - 1
    cells = _one_of_each(local_maxima(np.where(above, lattice_values, floor)) & above)
    values = lattice_values[cells[:, 0], cells[:, 1]]
    order = np.argsort(-values, kind="stable")
    cells = _apart(cells[order], distance, lattice.grid)
    values = lattice_values[cells[:, 0], cells[:, 1]]
    positions = np.stack(
        [
            _refined(lattice_values, lattice.y, cells, (1, 0)),
            _refined(lattice_values, lattice.x, cells, (0, 1)),
        ],
        axis=1,
    )
    return positions, values, cells


def central_pixels(lattice: Lattice, cells: NDArray[np.intp]) -> tuple[NDArray[np.intp], ...]:
    """Return rows and columns of the image pixels at the centers of some patches, (patch, 2)."""
    return tuple(
        axis.cell_centers(slice(0, axis.n_cells))[at].astype(np.intp)
        for axis, at in zip((lattice.y, lattice.x), cells.T, strict=True)
    )


def prominent_cells(lattice_values: NDArray[np.float32], threshold: float) -> NDArray[np.intp]:
    """Return the peaks at which touching objects are separated, one patch each, (peak, 2).

    Parameters
    ----------
    lattice_values : float32 (grid_y, grid_x)
    threshold : float
        In the unit of the map.
    """
    known = np.isfinite(lattice_values)
    above = known & (lattice_values > threshold)
    if not above.any():
        return np.zeros((0, 2), np.intp)
    from skimage.morphology import h_maxima

    height = float(lattice_values[above].max()) - threshold
    filled = np.where(known, lattice_values, lattice_values[known].min()).astype(np.float64)
    return _one_of_each((h_maxima(filled, _PROMINENCE * height) > 0) & above)


def _one_of_each(tops: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the first patch of each connected area, (area, 2): a plateau is one peak."""
    from skimage.measure import label

    plateaus = label(tops, connectivity=2)
    cells = np.argwhere(plateaus)
    _, first = np.unique(plateaus[plateaus > 0], return_index=True)
    chosen: NDArray[np.intp] = cells[first]
    return chosen


def _apart(cells: NDArray[np.intp], distance: float, grid: tuple[int, int]) -> NDArray[np.intp]:
    """Return those of some patches that are not nearer than a distance to one before them."""
    reach = math.ceil(distance) - 1
    if reach < 1:
        return cells
    steps = np.arange(-reach, reach + 1)
    near = np.argwhere(np.hypot(steps[:, np.newaxis], steps) < distance)
    taken = np.zeros([length + 2 * reach for length in grid], bool)
    kept = []
    for number, cell in enumerate(cells):
        if not taken[cell[0] + reach, cell[1] + reach]:
            kept.append(number)
            taken[tuple((cell + near).T)] = True
    return cells[kept]


def _distance_in_patches(min_distance: float, lattice: Lattice) -> float:
    if not (math.isfinite(min_distance) and min_distance >= 0):
        raise SettingsError(
            f"min_distance is {min_distance!r}; accepted: image pixels, a finite number from 0"
        )
    width = min(axis.cell * axis.image / axis.working for axis in (lattice.y, lattice.x))
    return max(1.0, min_distance / width)


def _refined(
    values: NDArray[np.float32], axis: Axis, cells: NDArray[np.intp], step: tuple[int, int]
) -> NDArray[np.float64]:
    """Return one coordinate of peaks in image pixels, to a fraction of a patch."""
    padded = np.pad(values.astype(np.float64), 1, constant_values=np.nan)
    y, x = cells.T + 1
    before, here, after = (padded[y + n * step[0], x + n * step[1]] for n in (-1, 0, 1))
    bend = before - 2 * here + after
    with np.errstate(invalid="ignore", divide="ignore"):
        offset = (before - after) / (2 * bend)
    offset[~np.isfinite(offset)] = 0  # at the border, next to what is not known, on a plateau
    at = cells @ np.array(step) + 0.5 + offset.clip(-0.5, 0.5)
    position: NDArray[np.float64] = axis.position(at) - 0.5
    return position.clip(0, axis.image - 1)
