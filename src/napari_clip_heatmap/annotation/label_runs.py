"""A label image of any size, read block by block, as runs of equal pixels along its rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_clip_heatmap.errors import ImageError

__all__ = [
    "BLOCK_PIXELS",
    "LabelPlane",
    "Runs",
    "bounds_of",
    "check_labels",
    "read_runs",
    "runs_of",
]

BLOCK_PIXELS = 2**23
"""Labels that are read at once, unless a chunk of them is larger."""


@dataclass(frozen=True, eq=False)
class Runs:
    """Rows of pixels that have one label, background left out.

    Parameters
    ----------
    label : integer (run,)
        In the type of the label image.
    y, start, stop : int64 (run,)
        Row, first column, and the column after the last.
    """

    label: NDArray[Any]
    y: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]

    @property
    def length(self) -> NDArray[np.int64]:
        """Pixels of each run."""
        return self.stop - self.start

    def bounds(self, owner: NDArray[np.intp], n: int) -> NDArray[np.int64]:
        """Return the bounding boxes of `n` owners of runs, int64 (owner, 4).

        First row, first column, and the row and column after the last; 0 without runs.
        """
        return bounds_of(owner, (self.y, self.start), (self.y + 1, self.stop), n)


class LabelPlane:
    """One plane of a stack of labels, of which nothing is read before it is needed.

    Parameters
    ----------
    stack : array-like of integers (..., y, x)
    index : tuple of int
        Of the axes before y and x.
    """

    def __init__(self, stack: Any, index: tuple[int, ...]) -> None:
        self._stack, self._index = stack, index
        self.shape: tuple[int, int] = tuple(stack.shape[-2:])
        self.dtype = stack.dtype
        self.shards = getattr(stack, "shards", None)
        self.chunks = getattr(stack, "chunks", None)

    def __getitem__(self, part: tuple[slice, slice]) -> Any:
        return self._stack[(*self._index, *part)]

    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> NDArray[np.generic]:
        plane: NDArray[np.generic] = np.asarray(self._stack[self._index], dtype)
        return plane.copy() if copy else plane


def check_labels(labels: Any, shape: tuple[int, ...]) -> None:
    """Raise unless labels are an array of integers of the shape of an image.

    Raises
    ------
    ImageError
        They are not; it says what they are, and what to do.
    """
    got = getattr(labels, "shape", None), getattr(labels, "dtype", None)
    if got[0] is None or got[1] is None:
        raise ImageError(
            f"labels are a {type(labels).__name__}; accepted: an array of integers, 0 for the "
            "background, in memory, dask or zarr"
        )
    if np.dtype(got[1]).kind not in "iu":
        raise ImageError(
            f"labels have the type {got[1]}; accepted: integers, 0 for the background. Number the "
            "objects of a mask with skimage.measure.label; convert whole numbers with "
            "labels.astype('int32')"
        )
    if tuple(got[0]) != shape:
        raise ImageError(
            f"labels have the shape {tuple(got[0])}, and the image {shape}; they must be the same. "
            "Take the labels of the image that was encoded, at its full resolution"
        )


def read_runs(labels: Any, *, finest: float = 1.0) -> Iterator[Runs]:
    """Read labels (y, x) block by block, whole chunks at a time where they have chunks.

    Parameters
    ----------
    labels : array-like of integers (y, x)
        In memory, mapped, dask or zarr.
    finest : float
        Patches per pixel, where that is more than 1: blocks become smaller by it.

    Raises
    ------
    ImageError
        A label is negative.
    """
    height, width = labels.shape
    rows, columns = _block_shape(labels, max(1, int(BLOCK_PIXELS / max(1.0, finest))))
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            block = np.asarray(labels[top : top + rows, left : left + columns])
            yield runs_of(block, top, left)


def runs_of(block: NDArray[Any], top: int = 0, left: int = 0) -> Runs:
    """Return the runs of one block, whose first pixel is (`top`, `left`).

    Raises
    ------
    ImageError
        A label is negative.
    """
    width = block.shape[1]
    begins = np.ones(block.shape, bool)
    np.not_equal(block[:, 1:], block[:, :-1], out=begins[:, 1:])
    first = np.flatnonzero(begins)
    label = block.ravel()[first]
    length = np.diff(first, append=block.size)
    if label.size and label.min() < 0:
        raise ImageError(
            f"the label {label.min()} is negative; accepted: 0 for the background and positive "
            "numbers for objects"
        )
    there = label != 0
    y, start = np.divmod(first[there], width)
    return Runs(label[there], y + top, start + left, start + left + length[there])


def bounds_of(
    owner: NDArray[np.intp],
    low: Iterable[NDArray[np.int64]],
    high: Iterable[NDArray[np.int64]],
    n: int,
) -> NDArray[np.int64]:
    """Return the smallest `low` and the largest `high` of each owner, int64 (owner, 4)."""
    bounds = np.zeros((n, 4), np.int64)
    bounds[owner, :2] = np.iinfo(np.int64).max
    for axis, (first, last) in enumerate(zip(low, high, strict=True)):
        np.minimum.at(bounds[:, axis], owner, first)
        np.maximum.at(bounds[:, 2 + axis], owner, last)
    return bounds


def _block_shape(labels: Any, n_pixels: int) -> tuple[int, int]:
    """Return rows and columns of a block: whole chunks, as wide as the labels if they may be."""
    height, width = labels.shape
    rows, columns = _chunk_shape(labels)
    columns = min(width, columns * max(1, n_pixels // (rows * columns)))
    rows = rows * max(1, n_pixels // (rows * columns))
    return min(height, rows), columns


def _chunk_shape(labels: Any) -> tuple[int, int]:
    """Return the chunks of zarr (shards, where it has them), dask and HDF5; else one row."""
    chunks = getattr(labels, "shards", None) or getattr(labels, "chunks", None)
    if chunks is None:
        return 1, labels.shape[1]
    rows, columns = (max(size) if isinstance(size, tuple) else int(size) for size in chunks[-2:])
    return max(1, rows), max(1, columns)
