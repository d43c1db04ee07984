"""How much of each patch every object of a label image covers, and where the object lies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.annotation.label_runs import Runs, bounds_of, read_runs
from napari_clip_heatmap.imaging.lattice import Axis, Lattice

__all__ = ["Coverage", "measure_coverage"]


@dataclass(frozen=True, eq=False)
class Coverage:
    """Objects of one plane, and the patches beneath them.

    Parameters
    ----------
    label : integer (object,)
        Ascending, in the type of the label image.
    area : int64 (object,)
        Image pixels.
    position_sum : int64 (object, 2)
        Sum of the rows and of the columns of all pixels.
    bbox : int64 (object, 4)
        First row, first column, and the row and column after the last.
    owner, cell : int64 (pair,)
        Which object covers which patch (counted along the rows of the lattice); each pair once,
        by object.
    fraction : float64 (pair,)
        Of what of the patch lies in the image, covered by the object. Over all pixels of the
        image the fractions of a patch sum to 1: a pixel on an edge between patches counts for
        both, by area.
    """

    label: NDArray[Any]
    area: NDArray[np.int64]
    position_sum: NDArray[np.int64]
    bbox: NDArray[np.int64]
    owner: NDArray[np.int64]
    cell: NDArray[np.int64]
    fraction: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.label)

    def sum_over_patches(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return for each object the sum of patches' values by the fractions it covers.

        Parameters
        ----------
        values : float (grid_y * grid_x,) or (grid_y * grid_x, value)

        Returns
        -------
        float64 (object,) or (object, value)
        """
        columns = values.reshape(len(values), -1)
        sums = np.empty((len(self), columns.shape[1]))
        for number in range(columns.shape[1]):
            weights = self.fraction * columns[self.cell, number]
            sums[:, number] = np.bincount(self.owner, weights, minlength=len(self))
        return sums.reshape(len(self), *values.shape[1:])


def measure_coverage(labels: Any, lattice: Lattice) -> Coverage:
    """Read labels (y, x) once, block by block, and gather what each object covers.

    Memory grows with the number of objects and the patches they touch, not with the labels.

    Parameters
    ----------
    labels : array-like of integers (y, x)
        Of the shape of the image; in memory, mapped, dask or zarr.
    lattice : Lattice

    Raises
    ------
    ImageError
        A label is negative.
    """
    finest = max(axis.n_cells / axis.image for axis in (lattice.y, lattice.x)) ** 2
    blocks = [_of_block(runs, lattice) for runs in read_runs(labels, finest=finest)]
    return _merged([block for block in blocks if len(block)], np.dtype(labels.dtype))


def _of_block(runs: Runs, lattice: Lattice) -> Coverage:
    label, owner = np.unique(runs.label, return_inverse=True)
    n = len(label)
    length = runs.length
    in_x = length * (runs.start + runs.stop - 1) // 2
    position_sum = [_sum(owner, values, n) for values in (length * runs.y, in_x)]
    pair_owner, cell, area = _patches(runs, owner, lattice)
    owner_cell, inverse = np.unique(
        pair_owner * (lattice.grid[0] * lattice.grid[1]) + cell, return_inverse=True
    )
    owners, cells = np.divmod(owner_cell, lattice.grid[0] * lattice.grid[1])
    return Coverage(
        label=label,
        area=_sum(owner, length, n),
        position_sum=np.stack(position_sum, axis=1),
        bbox=runs.bounds(owner, n),
        owner=owners,
        cell=cells,
        fraction=np.bincount(inverse, area, minlength=len(owner_cell)).astype(np.float64),
    )


def _patches(
    runs: Runs, owner: NDArray[np.int64], lattice: Lattice
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return owner, cell and covered fraction for each patch that each run crosses."""
    run_x, column, part_x = _overlaps(lattice.x, runs.start, runs.stop)
    y, row_of_run = np.unique(runs.y, return_inverse=True)
    row_of_y, cell_row, part_y = _overlaps(lattice.y, y, y + 1)
    n_rows = np.bincount(row_of_y, minlength=len(y))
    first = np.cumsum(n_rows) - n_rows
    y_of_entry = row_of_run[run_x]
    entry, offset = _repeated(n_rows[y_of_entry])
    at = first[y_of_entry][entry] + offset
    cell = cell_row[at] * lattice.grid[1] + column[entry]
    return owner[run_x[entry]], cell, part_y[at] * part_x[entry]


def _overlaps(
    axis: Axis, start: NDArray[np.int64], stop: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return which span of pixels, which cell it crosses, and what fraction of that cell."""
    edges = axis.cell_edges()
    # The last edge may lie a rounding error before the border of the image.
    first = np.minimum(np.searchsorted(edges, start, side="right") - 1, axis.n_cells - 1)
    last = np.minimum(np.searchsorted(edges, stop, side="left"), axis.n_cells)
    span, offset = _repeated(last - first)
    cell = first[span] + offset
    low, high = edges[cell], edges[cell + 1]
    part = (np.minimum(stop[span], high) - np.maximum(start[span], low)) / (high - low)
    return span, cell, part


def _repeated(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each index as often as it counts, and which time it is."""
    index = np.repeat(np.arange(len(counts)), counts)
    return index, np.arange(len(index)) - (np.cumsum(counts) - counts)[index]


def _merged(blocks: Iterable[Coverage], dtype: np.dtype[Any]) -> Coverage:
    """Return blocks as one: an object, or a patch, that lies in several counts once."""
    parts = list(blocks)
    if not parts:
        empty = np.zeros(0, np.int64)
        return Coverage(
            empty.astype(dtype), empty, empty.reshape(0, 2), empty.reshape(0, 4),
            empty, empty, np.zeros(0),
        )  # fmt: skip
    label, number = np.unique(np.concatenate([part.label for part in parts]), return_inverse=True)
    n = len(label)
    shift = np.cumsum([0, *(len(part) for part in parts)])
    owner = np.concatenate(
        [number[first + part.owner] for first, part in zip(shift[:-1], parts, strict=True)]
    )
    cell = np.concatenate([part.cell for part in parts])
    order = np.lexsort((cell, owner))
    owner, cell = owner[order], cell[order]
    begins = np.flatnonzero((np.diff(owner, prepend=-1) != 0) | (np.diff(cell, prepend=-1) != 0))
    fraction = np.concatenate([part.fraction for part in parts])[order]
    bbox = np.concatenate([part.bbox for part in parts])
    position = np.concatenate([part.position_sum for part in parts])
    return Coverage(
        label=label,
        area=_sum(number, np.concatenate([part.area for part in parts]), n),
        position_sum=np.stack([_sum(number, position[:, axis], n) for axis in (0, 1)], axis=1),
        bbox=bounds_of(number, bbox[:, :2].T, bbox[:, 2:].T, n),
        owner=owner[begins],
        cell=cell[begins],
        fraction=np.add.reduceat(fraction, begins),
    )


def _sum(owner: NDArray[np.int64], values: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    sums = np.zeros(n, np.int64)
    np.add.at(sums, owner, values)
    return sums
