"""Masks of an image: the inside of outlines, and where labels are not 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import ImageError, shown_value
from napari_clip_heatmap.imaging.region import FARTHEST, require_near
from napari_clip_heatmap.validation import items, number_array, refuse

__all__ = ["LabeledRegion", "Outlines"]

_POLYGONS = "at least one polygon, each (n, 2) finite corners (y, x) with n >= 3"

_MATRIX = "an affine matrix with the last row (0, 0, 1), which can be inverted"

_MOST = 1_000_000
"""Largest number of outlines."""

_CORNERS = 5000
"""Largest number of outline corners that a record lists."""

_BAND = 2**20
"""Labels read at once."""

_POINTS = 2**17
"""Points that are moved to the labels at once: each takes 100 bytes."""

_CORNERS_FROM_CENTER = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]])

_INSET = 0.001
"""Label pixels, and at most image pixels, that an outline keeps from a label pixel's neighbors."""

_SAME = 1e-9
"""Image pixels between two positions that are the same."""


@dataclass(frozen=True, eq=False, repr=False)
class Outlines:
    """The inside of closed outlines; where they overlap, inside any of them is inside.

    Parameters
    ----------
    polygons : sequence of float64 (n, 2)
        Corners (y, x), in image pixels: the first pixel's center is (0.5, 0.5). An outline that
        crosses itself is inside where it is crossed an odd number of times.

    Raises
    ------
    ImageError
        There is no polygon, one has fewer than 3 corners, or a corner is not finite.

    Examples
    --------
    >>> nch.Outlines([[(0, 0), (0, 100), (80, 50)]])
    Outlines(1 polygon, 3 corners)
    """

    polygons: Sequence[NDArray[np.float64]]

    def __post_init__(self) -> None:
        corners = []
        polygons = items("the list of outlines", self.polygons, _POLYGONS, _MOST, ImageError)
        if len(polygons) > _MOST:
            raise ImageError(f"there are more than {_MOST} outlines; give labels instead")
        for polygon in polygons:
            array = number_array("an outline", polygon, (None, 2), ImageError)
            if len(array) < 3:
                raise refuse("an outline", polygon, _POLYGONS, ImageError)
            require_near("an outline", polygon, array)
            corners.append(array)
        if not corners:
            raise refuse("the list of outlines", self.polygons, _POLYGONS, ImageError)
        object.__setattr__(self, "polygons", tuple(corners))

    @property
    def absent(self) -> str:
        """What is wrong where no outline touches the image."""
        return "the region is outside the image"

    def describe(self) -> dict[str, object]:
        """Return the corners of all outlines, unless they are very many."""
        if sum(map(len, self.polygons)) > _CORNERS:
            return {}
        return {"outlines": [polygon.tolist() for polygon in self.polygons]}

    def __repr__(self) -> str:
        count, corners = len(self.polygons), sum(map(len, self.polygons))
        return f"Outlines({count} polygon{'s' if count > 1 else ''}, {corners} corners)"

    def inside(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which points of a grid are inside, bool (n_y, n_x); `y` and `x` ascending."""
        result = np.zeros((len(y), len(x)), bool)
        for polygon in self.polygons:
            result |= _crossed_oddly(polygon, y, x)
        return result

    def touched(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> None:
        """Return nothing: which cells outlines touch takes their traces."""
        return

    def traces(self, spacing: float, shape: tuple[float, float]) -> Iterator[NDArray[np.float64]]:
        """Yield points along the outlines on an image of a shape, at most `spacing` apart.

        They are the centers and corners of squares around points on the outline. A cell that is
        wider than such a square contains one of them wherever the outline crosses it.
        """
        square = np.array([[0, 0], [-1, -1], [-1, 1], [1, -1], [1, 1]]) * (spacing / 2)
        for polygon in self.polygons:
            for begin, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
                first, last = _clipped(begin, end, spacing, shape)
                if first > last:
                    continue
                length = float(np.linalg.norm(end - begin)) * (last - first)
                steps = int(np.ceil(length / spacing)) + 1
                points = begin + (end - begin) * np.linspace(first, last, steps)[:, np.newaxis]
                yield (points[:, np.newaxis] + square).reshape(-1, 2)


@dataclass(frozen=True, eq=False, repr=False)
class LabeledRegion:
    """Where the labels of another image are not 0.

    Parameters
    ----------
    labels : array-like (label_y, label_x)
        May be lazy; read a part at a time.
    matrix : float64 (3, 3), optional
        From image pixels (y, x, 1) to label pixels; in both, pixel 0 spans 0 to 1. By default they
        are the same.

    Raises
    ------
    ImageError
        The labels are no plane of integers or booleans, or the matrix cannot be inverted.
    """

    labels: Any
    matrix: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        shape, dtype = getattr(self.labels, "shape", ()), getattr(self.labels, "dtype", None)
        plane = isinstance(shape, tuple) and len(shape) == 2 and 0 not in shape
        if not plane or getattr(dtype, "kind", "") not in ("b", "u", "i", "f"):
            raise ImageError(
                f"the labels have shape {shown_value(shape)} and type {shown_value(dtype)}; "
                "accepted: a plane (y, x) of integers or booleans"
            )
        if self.matrix is not None:
            matrix = number_array("the labels' matrix", self.matrix, (3, 3), ImageError)
            if not _is_invertible(matrix):
                raise refuse("the labels' matrix", matrix, _MATRIX, ImageError)
            object.__setattr__(self, "matrix", matrix)

    @property
    def absent(self) -> str:
        """What is wrong where no label touches the image."""
        return "no label marks a pixel of the image"

    def describe(self) -> dict[str, object]:
        """Return nothing: labels are as large as images."""
        return {}

    def __repr__(self) -> str:
        return f"LabeledRegion{tuple(self.labels.shape)}"

    def inside(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which points of a grid are in a label, bool (n_y, n_x)."""
        result = np.zeros((len(y), len(x)), bool)
        if self._is_aligned:
            self._mark_aligned(y, x, result)
            return result
        rows = max(1, _POINTS // max(1, len(x)))
        for top in range(0, len(y), rows):
            self._mark(y[top : top + rows], x, result[top : top + rows])
        return result

    def _mark_aligned(
        self, y: NDArray[np.float64], x: NDArray[np.float64], result: NDArray[np.bool_]
    ) -> None:
        """Set which points are in a label, where rows of the image are rows of the labels."""
        points, places = [], []
        for axis, (at, length) in enumerate(zip((y, x), self.labels.shape, strict=True)):
            scale, offset = self._along(axis)
            place = np.floor(np.clip(scale * at + offset, -1, length)).astype(np.int64)
            points.append(np.flatnonzero((place >= 0) & (place < length)))
            places.append(place[points[-1]])
        if not (len(places[0]) and len(places[1])):
            return
        first = [int(place.min()) for place in places]
        parts = (slice(n, int(place.max()) + 1) for n, place in zip(first, places, strict=True))
        near = np.asarray(self.labels[tuple(parts)]) != 0
        result[np.ix_(*points)] = near[np.ix_(places[0] - first[0], places[1] - first[1])]

    def _mark(
        self, y: NDArray[np.float64], x: NDArray[np.float64], result: NDArray[np.bool_]
    ) -> None:
        """Set which points of a few rows are in a label."""
        grid = np.stack(np.meshgrid(y, x, indexing="ij"))
        at = _moved(grid.reshape(2, -1), self.matrix).reshape(grid.shape)
        row, column = np.floor(np.clip(at, -1, 2**62)).astype(np.int64)
        height, width = self.labels.shape
        within = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        if not within.any():
            return
        row, column = row[within], column[within]
        top, left = int(row.min()), int(column.min())
        near = np.asarray(self.labels[top : int(row.max()) + 1, left : int(column.max()) + 1])
        result[within] = near[row - top, column - left] != 0

    @property
    def _is_aligned(self) -> bool:
        """Whether rows of the image are rows of the labels."""
        return self.matrix is None or not (self.matrix[0, 1] or self.matrix[1, 0])

    def _along(self, axis: int) -> tuple[float, float]:
        """Return scale and offset from image pixels to label pixels along an axis."""
        if self.matrix is None:
            return 1.0, 0.0
        return float(self.matrix[axis, axis]), float(self.matrix[axis, 2])

    def touched(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_] | None:
        """Return which cells between some edges have a labeled pixel; None where it takes traces.

        It takes them where rows of the image are no rows of the labels.
        """
        if not self._is_aligned:
            return None
        top, bottom = self._spans(0, y)
        left, right = self._spans(1, x)
        result = np.empty((len(top), len(left)), bool)
        for row, (first, stop) in enumerate(zip(top.tolist(), bottom.tolist(), strict=True)):
            count = np.concatenate([[0], np.cumsum(self._marked_columns(first, stop))])
            result[row] = count[right] > count[left]
        return result

    def _spans(
        self, axis: int, edges: NDArray[np.float64]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the first label pixel in each cell along an axis, and the one after the last."""
        scale, offset = self._along(axis)
        ends = np.sort(np.stack([edges[:-1], edges[1:]]) * scale + offset, axis=0)
        inset = _INSET * min(1.0, abs(scale))
        length = self.labels.shape[axis]
        first = np.clip(np.floor(ends[0] + inset), 0, length).astype(np.intp)
        stop = np.clip(np.ceil(ends[1] - inset), 0, length).astype(np.intp)
        return first, np.maximum(first, stop)

    def _marked_columns(self, first: int, stop: int) -> NDArray[np.bool_]:
        """Return which columns have a label in some rows."""
        width = self.labels.shape[1]
        marked = np.zeros(width, bool)
        rows = max(1, _BAND // width)
        for top in range(first, stop, rows):
            marked |= (np.asarray(self.labels[top : min(top + rows, stop), 0:width]) != 0).any(0)
        return marked

    def traces(self, spacing: float, shape: tuple[float, float]) -> Iterator[NDArray[np.float64]]:
        """Yield the center of each labeled pixel, and its outline where it is no image pixel."""
        if self.matrix is None:
            yield from self._centers()
            return
        back = np.linalg.inv(self.matrix)
        sides = np.linalg.norm(back[:2, :2], axis=0)
        inner = _CORNERS_FROM_CENTER * (0.5 - _INSET / np.maximum(sides, 1))
        for centers in self._centers():
            corners = [_moved((centers + corner).T, back).T for corner in inner]
            yield _moved(centers.T, back).T
            if sides.max() <= spacing:
                yield from corners
                continue
            outlines = np.stack(corners, axis=1)
            on_image = ((outlines.max(1) > 0) & (outlines.min(1) < shape)).all(axis=1)
            if on_image.any():
                yield from Outlines(list(outlines[on_image])).traces(spacing, shape)

    def _centers(self) -> Iterator[NDArray[np.float64]]:
        """Yield the centers of labeled pixels, in label pixels."""
        height, width = self.labels.shape
        rows = max(1, _BAND // width)
        for top in range(0, height, rows):
            band = np.asarray(self.labels[top : min(top + rows, height), 0:width]) != 0
            if band.any():
                yield (np.stack(np.nonzero(band)) + np.array([[top + 0.5], [0.5]])).T


def _clipped(
    begin: NDArray[np.float64],
    end: NDArray[np.float64],
    margin: float,
    shape: tuple[float, float],
) -> tuple[float, float]:
    """Return the part of a line, as fractions of it, on an image with a margin (Liang-Barsky).

    The first is above the last where the line misses the image.
    """
    first, last = 0.0, 1.0
    for start, stop, length in zip(begin, end, shape, strict=True):
        if abs(stop - start) < _SAME:
            if not -margin <= start <= length + margin:
                return 1.0, 0.0
            continue
        near, far = sorted(
            ((-margin - start) / (stop - start), (length + margin - start) / (stop - start))
        )
        first, last = max(first, near), min(last, far)
    return first, last


def _crossed_oddly(
    polygon: NDArray[np.float64], y: NDArray[np.float64], x: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Count, for each point, the edges to its left that its row crosses."""
    crossings = np.zeros((len(y), len(x) + 1), np.int32)
    for begin, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        low, high = (begin, end) if begin[0] <= end[0] else (end, begin)
        first, stop = np.searchsorted(y, (low[0], high[0]))
        if first < stop:
            fraction = (y[first:stop] - low[0]) / (high[0] - low[0])
            at = low[1] + fraction * (high[1] - low[1])
            np.add.at(crossings, (np.arange(first, stop), np.searchsorted(x, at)), 1)
    odd: NDArray[np.bool_] = np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1
    return odd


def _is_invertible(matrix: NDArray[np.float64]) -> bool:
    """Return whether an affine matrix (3, 3) and its inverse move pixels to where they can be."""
    if not np.array_equal(matrix[2], (0, 0, 1)) or np.abs(matrix).max() > FARTHEST:
        return False
    sizes = np.linalg.svd(matrix[:2, :2], compute_uv=False)
    return bool(sizes[-1] > 1 / FARTHEST and sizes[-1] > sizes[0] * 1e-12)


def _moved(points: NDArray[np.float64], matrix: NDArray[Any] | None) -> NDArray[np.float64]:
    """Apply an affine matrix (3, 3) to points (2, n)."""
    if matrix is None:
        return points
    moved: NDArray[np.float64] = np.asarray(matrix)[:2, :2] @ points + np.asarray(matrix)[:2, 2:]
    return moved
