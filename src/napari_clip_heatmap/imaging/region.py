"""The part of an image that heatmaps are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import ImageError, shown_value
from napari_clip_heatmap.imaging.lattice import Lattice
from napari_clip_heatmap.validation import items, number_array, numbers, refuse

__all__ = ["LabeledRegion", "Mask", "Outlines", "Region"]


_POLYGONS = "at least one polygon, each (n, 2) finite corners (y, x) with n >= 3"

_POINTS = 4
"""Points per side of a cell at which a mask is evaluated."""

_MOST = 1_000_000
"""Largest number of outlines."""

_CORNERS = 5000
"""Largest number of outline corners that a record lists."""


@dataclass(frozen=True, repr=False)
class Region:
    """A rectangle of an image, a mask, or the part of the mask in the rectangle.

    By default the whole image. Maps are NaN outside. The lattice and its tiles are those of the
    whole image, whatever the region, so tiles that were done for one region are reused for others.

    Parameters
    ----------
    box : (y0, x0, y1, x1), optional
        In image pixels, of which pixel 0 spans 0 to 1; may reach beyond the image.
    mask : Mask, optional
        `Outlines` or labels.

    Raises
    ------
    ImageError
        The box is not four finite numbers, the smaller first; or the mask is no mask.

    Examples
    --------
    >>> corner = nch.encode(model, image, region=nch.Region(box=(0, 0, 48, 48)))
    >>> triangle = nch.Outlines([[(10, 10), (80, 20), (40, 90)]])
    >>> inside = nch.encode(model, image, region=nch.Region(mask=triangle))
    """

    box: tuple[float, float, float, float] | None = None
    mask: Mask | None = None

    def __post_init__(self) -> None:
        if self.box is not None:
            top, left, bottom, right = numbers("the region's box", self.box, 4, ImageError)
            if not (top < bottom and left < right):
                raise ImageError(
                    f"the region's box is {self.box}, which has no area; accepted: "
                    "(y0, x0, y1, x1) with y0 < y1 and x0 < x1"
                )
            object.__setattr__(self, "box", (top, left, bottom, right))
        if self.mask is not None and not (
            hasattr(self.mask, "inside") and hasattr(self.mask, "traces")
        ):
            raise ImageError(
                f"the region's mask is {shown_value(self.mask)}; accepted: Outlines or labels"
            )

    def __repr__(self) -> str:
        parts = {"box": self.box, "mask": self.mask}
        given = (f"{name}={part}" for name, part in parts.items() if part is not None)
        return f"Region({', '.join(given)})"

    @property
    def is_whole(self) -> bool:
        """Whether the region is the whole image."""
        return self.box is None and self.mask is None

    def inside(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_] | None:
        """Return which points of a grid are inside, bool (n_y, n_x); None where all are.

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
            height, width = lattice.image_shape
            labels = self.box is None and isinstance(self.mask, LabeledRegion)
            what = (
                "no label marks a pixel of the image"
                if labels
                else "the region is outside the image"
            )
            raise ImageError(
                f"{what}, which has {height} x {width} pixels; choose or draw a region on it"
            )
        return touched

    def require_pixels(self, lattice: Lattice) -> None:
        """Check that the center of at least one image pixel is inside.

        Raises
        ------
        ImageError
            None is: the region is outside the image, or smaller than its pixels.
        """
        if self.is_whole:
            return
        cells_y, cells_x = self.bounds(lattice)
        edges_y, edges_x = lattice.y.cell_edges(), lattice.x.cell_edges()
        rows = _centers(edges_y[cells_y.start], edges_y[cells_y.stop])
        columns = _centers(edges_x[cells_x.start], edges_x[cells_x.stop])
        for first in range(0, len(rows), _ROWS):
            inside = self.inside(rows[first : first + _ROWS], columns)
            if len(columns) and (inside is None or inside.any()):
                return
        raise ImageError(
            "the region is smaller than a pixel, or so thin that it contains no pixel's center, so "
            "no pixel would get a value; draw it larger"
        )

    def tiles(self, lattice: Lattice) -> tuple[tuple[int, int], ...]:
        """Return the tiles that the region touches, as (row, column), row by row."""
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
        """Return the smallest rectangle of cells that contains all cells the region touches."""
        if self.is_whole:
            return slice(0, lattice.grid[0]), slice(0, lattice.grid[1])
        touched = self.cells(lattice)
        rows, columns = np.flatnonzero(touched.any(1)), np.flatnonzero(touched.any(0))
        return (
            slice(int(rows[0]), int(rows[-1]) + 1),
            slice(int(columns[0]), int(columns[-1]) + 1),
        )

    def describe(self) -> dict[str, object]:
        """Return the region as JSON-able values.

        Outlines are listed corner by corner, unless they have very many; labels are not.
        """
        described: dict[str, object] = {
            "kind": "whole" if self.is_whole else "rectangle" if self.mask is None else "mask",
            "box": None if self.box is None else [float(edge) for edge in self.box],
        }
        if isinstance(self.mask, Outlines) and sum(map(len, self.mask.polygons)) <= _CORNERS:
            described["outlines"] = [polygon.tolist() for polygon in self.mask.polygons]
        return described


def _touched(mask: Mask, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Evaluate a mask at points spread over each cell, and mark the cells that its traces cross."""
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
    fractions = (np.arange(_POINTS) + 0.5) / _POINTS
    widths = np.diff(edges)[:, np.newaxis]
    points: NDArray[np.float64] = (edges[:-1, np.newaxis] + widths * fractions).ravel()
    return points


_BAND = 2**22
"""Labels read at once."""

_ROWS = 256
"""Rows of pixels tested at once."""


class Mask(Protocol):
    """A part of an image; positions are in image pixels, of which pixel 0 spans 0 to 1."""

    def inside(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which points of a grid are inside, bool (n_y, n_x)."""
        ...

    def traces(self, spacing: float) -> Iterator[NDArray[np.float64]]:
        """Yield points inside or on the edge, float64 (n, 2), at least one on every thin part."""
        ...


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
            corners.append(array)
        if not corners:
            raise refuse("the list of outlines", self.polygons, _POLYGONS, ImageError)
        object.__setattr__(self, "polygons", tuple(corners))

    def __repr__(self) -> str:
        count, corners = len(self.polygons), sum(map(len, self.polygons))
        return f"Outlines({count} polygon{'s' if count > 1 else ''}, {corners} corners)"

    def inside(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which points of a grid are inside, bool (n_y, n_x); `y` and `x` ascending."""
        result = np.zeros((len(y), len(x)), bool)
        for polygon in self.polygons:
            result |= _crossed_oddly(polygon, y, x)
        return result

    def traces(self, spacing: float) -> Iterator[NDArray[np.float64]]:
        """Yield points along the outlines, at most `spacing` apart.

        They are the centers and corners of squares around points on the outline. A cell that is
        wider than such a square contains one of them wherever the outline crosses it.
        """
        square = np.array([[0, 0], [-1, -1], [-1, 1], [1, -1], [1, 1]]) * (spacing / 2)
        for polygon in self.polygons:
            for begin, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
                steps = int(np.ceil(np.linalg.norm(end - begin) / spacing)) + 1
                points = begin + (end - begin) * np.linspace(0, 1, steps)[:, np.newaxis]
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
            if np.linalg.det(matrix[:2, :2]) == 0:
                raise refuse("the labels' matrix", matrix, "one that can be inverted", ImageError)
            object.__setattr__(self, "matrix", matrix)

    def __repr__(self) -> str:
        return f"LabeledRegion{tuple(self.labels.shape)}"

    def inside(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which points of a grid are in a label, bool (n_y, n_x)."""
        result = np.zeros((len(y), len(x)), bool)
        grid = np.stack(np.meshgrid(y, x, indexing="ij"))
        at = _moved(grid.reshape(2, -1), self.matrix).reshape(grid.shape)
        row, column = np.floor(at).astype(np.int64)
        height, width = self.labels.shape
        within = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        if not within.any():
            return result
        row, column = row[within], column[within]
        top, left = int(row.min()), int(column.min())
        near = np.asarray(self.labels[top : int(row.max()) + 1, left : int(column.max()) + 1])
        result[within] = near[row - top, column - left] != 0
        return result

    def traces(self, spacing: float) -> Iterator[NDArray[np.float64]]:
        """Yield the center of each labeled pixel, whatever the spacing."""
        back: NDArray[Any] | None = None if self.matrix is None else np.linalg.inv(self.matrix)
        height, width = self.labels.shape
        rows = max(1, _BAND // width)
        for top in range(0, height, rows):
            band = np.asarray(self.labels[top : min(top + rows, height), 0:width]) != 0
            if band.any():
                points = np.stack(np.nonzero(band)) + np.array([[top + 0.5], [0.5]])
                yield _moved(points, back).T


def _centers(low: float, high: float) -> NDArray[np.float64]:
    """Return the centers of the pixels between two positions."""
    first, stop = int(np.ceil(low - 0.5)), int(np.ceil(high - 0.5))
    return np.arange(first, stop, dtype=np.float64) + 0.5


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


def _moved(points: NDArray[np.float64], matrix: NDArray[Any] | None) -> NDArray[np.float64]:
    """Apply an affine matrix (3, 3) to points (2, n)."""
    if matrix is None:
        return points
    moved: NDArray[np.float64] = np.asarray(matrix)[:2, :2] @ points + np.asarray(matrix)[:2, 2:]
    return moved
