"""The part of an image that is asked about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.lattice import Lattice

__all__ = ["LabeledRegion", "Mask", "Outlines", "Region"]


_POINTS = 4
"""Points per side of a cell at which a mask is asked."""

_CORNERS = 5000
"""Corners of outlines that a record holds at most."""


@dataclass(frozen=True)
class Region:
    """A rectangle of an image, or what a mask leaves of it; by default the whole image.

    Maps are NaN outside. The lattice and its tiles are the whole image's, whatever the region, so
    tiles done for one region serve the next.

    Parameters
    ----------
    box : (y0, x0, y1, x1), optional
        In image pixels, of which pixel 0 spans 0 to 1; may reach beyond the image.
    mask : Mask, optional
        Outlines or labels.
    """

    box: tuple[float, float, float, float] | None = None
    mask: Mask | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return self.box is None and self.mask is None

    def inside(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_] | None:
        """Return which points of a raster lie inside, bool (n_y, n_x); None where all do.

        Parameters
        ----------
        y, x : float64 (n_y,), (n_x,)
            Ascending, in image pixels.
        """
        if self.is_whole:
            return None
        result = np.ones((len(y), len(x)), bool)
        if self.box is not None:
            top, left, bottom, right = self.box
            in_y, in_x = (y >= top) & (y < bottom), (x >= left) & (x < right)
            result = in_y[:, np.newaxis] & in_x
        if self.mask is not None and result.any():
            result &= self.mask.inside(y, x)
        return None if result.all() else result

    def cells(self, lattice: Lattice) -> NDArray[np.bool_]:
        """Return which cells of a lattice the region touches, bool (grid_y, grid_x).

        Raises
        ------
        ImageError
            It touches none.
        """
        y, x = lattice.y.cell_edges(), lattice.x.cell_edges()
        touched = np.ones(lattice.grid, bool)
        if self.box is not None:
            top, left, bottom, right = self.box
            in_y, in_x = (y[1:] > top) & (y[:-1] < bottom), (x[1:] > left) & (x[:-1] < right)
            touched = in_y[:, np.newaxis] & in_x
        if self.mask is not None:
            touched &= _touched(self.mask, y, x)
        if not touched.any():
            raise ImageError(
                "the region lies outside the image; show, or draw around, a part of the image"
            )
        return touched

    def tiles(self, lattice: Lattice) -> tuple[tuple[int, int], ...]:
        """Return the tiles with a cell that the region touches, as (row, column), row by row."""
        if self.is_whole:
            return lattice.tiles
        touched = np.pad(self.cells(lattice).cumsum(0).cumsum(1), ((1, 0), (1, 0)))

        def count(y: slice, x: slice) -> int:
            corners = touched[np.ix_((y.start, y.stop), (x.start, x.stop))]
            return int(corners[1, 1] - corners[0, 1] - corners[1, 0] + corners[0, 0])

        return tuple(
            tile
            for tile in lattice.tiles
            if count(lattice.y.cells(tile[0])[0], lattice.x.cells(tile[1])[0])
        )

    def bounds(self, lattice: Lattice) -> tuple[slice, slice]:
        """Return the smallest rectangle of cells that holds all that the region touches."""
        if self.is_whole:
            return slice(0, lattice.grid[0]), slice(0, lattice.grid[1])
        touched = self.cells(lattice)
        rows, columns = np.flatnonzero(touched.any(1)), np.flatnonzero(touched.any(0))
        return (
            slice(int(rows[0]), int(rows[-1]) + 1),
            slice(int(columns[0]), int(columns[-1]) + 1),
        )

    def describe(self) -> dict[str, object]:
        """Return what the region is, in values that JSON has.

        Outlines are told corner by corner, unless they have very many; labels are not.
        """
        told: dict[str, object] = {
            "kind": "whole" if self.is_whole else "rectangle" if self.mask is None else "mask",
            "box": None if self.box is None else [float(edge) for edge in self.box],
        }
        if isinstance(self.mask, Outlines) and sum(map(len, self.mask.polygons)) <= _CORNERS:
            told["outlines"] = [polygon.tolist() for polygon in self.mask.polygons]
        return told


def _touched(mask: Mask, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Ask a mask at points spread over each cell, and mark the cells that its traces cross."""
    rows, columns = len(y) - 1, len(x) - 1
    points_y, points_x = _spread(y), _spread(x)
    touched = np.empty((rows, columns), bool)
    for row in range(rows):
        inside = mask.inside(points_y[row * _POINTS : (row + 1) * _POINTS], points_x)
        touched[row] = inside.reshape(_POINTS, columns, _POINTS).any((0, 2))
    spacing = max(1.0, min(y[-1] / rows, x[-1] / columns) / _POINTS)
    for trace in mask.traces(spacing):
        on = (trace >= 0).all(1) & (trace[:, 0] < y[-1]) & (trace[:, 1] < x[-1])
        row = np.searchsorted(y, trace[on, 0], "right") - 1
        column = np.searchsorted(x, trace[on, 1], "right") - 1
        touched[row, column] = True
    return touched


def _spread(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = (np.arange(_POINTS) + 0.5) / _POINTS
    widths = np.diff(edges)[:, np.newaxis]
    points: NDArray[np.float64] = (edges[:-1, np.newaxis] + widths * shares).ravel()
    return points


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
class LabeledRegion:
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
