"""Parts of an image drawn by a user: outlines, or the labels of another image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import ImageError

__all__ = ["Labelled", "Mask", "Outlines"]

_BAND = 2**22
"""Labels looked at at once."""


class Mask(Protocol):
    """A part of an image; positions are in image pixels, of which pixel 0 spans 0 to 1."""

    def inside(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which points of a raster lie inside, bool (n_y, n_x)."""
        ...

    def traces(self, spacing: float) -> Iterator[NDArray[np.float64]]:
        """Yield points inside or on the rim, float64 (n, 2), that leave no thin part out."""
        ...


@dataclass(frozen=True, eq=False)
class Outlines:
    """The inside of closed outlines; where they overlap, inside any is inside.

    Parameters
    ----------
    polygons : sequence of float64 (n, 2)
        Corners (y, x), in image pixels: the first pixel's centre is (0.5, 0.5). An outline that
        crosses itself is inside where it is crossed an odd number of times.

    Raises
    ------
    ImageError
        There is no polygon, or one has fewer than 3 corners.
    """

    polygons: Sequence[NDArray[np.float64]]

    def __post_init__(self) -> None:
        corners = [np.asarray(polygon, np.float64) for polygon in self.polygons]
        if not corners or any(
            each.ndim != 2 or each.shape[1] != 2 or len(each) < 3 for each in corners
        ):
            raise ImageError(
                f"the region has {len(corners)} outlines, of shapes "
                f"{[each.shape for each in corners]}; accepted: at least one, each (n, 2) with "
                "3 corners or more. Draw a rectangle, an ellipse or a polygon"
            )
        object.__setattr__(self, "polygons", tuple(corners))

    def inside(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which points of a raster lie inside, bool (n_y, n_x); `y` and `x` ascending."""
        result = np.zeros((len(y), len(x)), bool)
        for polygon in self.polygons:
            result |= _crossed_oddly(polygon, y, x)
        return result

    def traces(self, spacing: float) -> Iterator[NDArray[np.float64]]:
        """Yield points beside the outlines, so that each point of these has one within `spacing`.

        They lie at the corners of squares around points that are `spacing` apart, and no cell wider
        than such a square is cut by an outline without holding one of its corners or centres.
        """
        square = np.array([[0, 0], [-1, -1], [-1, 1], [1, -1], [1, 1]]) * (spacing / 2)
        for polygon in self.polygons:
            for begin, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
                steps = int(np.ceil(np.linalg.norm(end - begin) / spacing)) + 1
                points = begin + (end - begin) * np.linspace(0, 1, steps)[:, np.newaxis]
                yield (points[:, np.newaxis] + square).reshape(-1, 2)


@dataclass(frozen=True, eq=False)
class Labelled:
    """Where the labels of another image are not 0.

    Parameters
    ----------
    labels : array-like (label_y, label_x)
        May be lazy; read a part at a time.
    matrix : float64 (3, 3), optional
        From image pixels (y, x, 1) to label pixels; in both, pixel 0 spans 0 to 1. By default they
        are the same.
    """

    labels: Any
    matrix: NDArray[np.float64] | None = None

    def inside(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which points of a raster lie in a label, bool (n_y, n_x)."""
        result = np.zeros((len(y), len(x)), bool)
        grid = np.stack(np.meshgrid(y, x, indexing="ij"))
        at = _moved(grid.reshape(2, -1), self.matrix).reshape(grid.shape)
        row, column = np.floor(at).astype(np.int64)
        height, width = self.labels.shape
        there = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        if not there.any():
            return result
        row, column = row[there], column[there]
        top, left = int(row.min()), int(column.min())
        near = np.asarray(self.labels[top : int(row.max()) + 1, left : int(column.max()) + 1])
        result[there] = near[row - top, column - left] != 0
        return result

    def traces(self, spacing: float) -> Iterator[NDArray[np.float64]]:
        """Yield the centre of each labelled pixel, whatever the spacing."""
        back: NDArray[Any] | None = None if self.matrix is None else np.linalg.inv(self.matrix)
        height, width = self.labels.shape
        rows = max(1, _BAND // width)
        for top in range(0, height, rows):
            band = np.asarray(self.labels[top : min(top + rows, height), 0:width]) != 0
            if band.any():
                points = np.stack(np.nonzero(band)) + np.array([[top + 0.5], [0.5]])
                yield _moved(points, back).T


def _crossed_oddly(
    polygon: NDArray[np.float64], y: NDArray[np.float64], x: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Count, for each point, the edges to its left that its row crosses."""
    crossings = np.zeros((len(y), len(x) + 1), np.int32)
    for begin, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        low, high = (begin, end) if begin[0] <= end[0] else (end, begin)
        first, stop = np.searchsorted(y, (low[0], high[0]))
        if first < stop:
            share = (y[first:stop] - low[0]) / (high[0] - low[0])
            at = low[1] + share * (high[1] - low[1])
            np.add.at(crossings, (np.arange(first, stop), np.searchsorted(x, at)), 1)
    odd: NDArray[np.bool_] = np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1
    return odd


def _moved(points: NDArray[np.float64], matrix: NDArray[Any] | None) -> NDArray[np.float64]:
    """Apply an affine matrix (3, 3) to points (2, n)."""
    if matrix is None:
        return points
    moved: NDArray[np.float64] = np.asarray(matrix)[:2, :2] @ points + np.asarray(matrix)[:2, 2:]
    return moved
