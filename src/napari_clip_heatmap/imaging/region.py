"""The part of an image that heatmaps are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_clip_heatmap.errors import ImageError, shown_value
from napari_clip_heatmap.imaging.lattice import Lattice
from napari_clip_heatmap.validation import numbers, refuse

__all__ = ["FARTHEST", "Mask", "Region", "require_near"]


FARTHEST = 1e9
"""Image pixels from the first one to the farthest corner."""

_POINTS = 4
"""Points per side of a cell at which a mask is evaluated."""


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
            require_near("the region's box", self.box, (top, left, bottom, right))
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
            masked = self.box is None and self.mask is not None
            what = self.mask.absent if masked and self.mask else "the region is outside the image"
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
        return described if self.mask is None else described | self.mask.describe()


def _touched(mask: Mask, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Evaluate a mask at points spread over each cell, and mark the cells that its traces cross."""
    exact = mask.touched(y, x)
    if exact is not None:
        return exact
    rows, columns = len(y) - 1, len(x) - 1
    points_y, points_x = _spread(y), _spread(x)
    touched = np.empty((rows, columns), bool)
    for row in range(rows):
        inside = mask.inside(points_y[row * _POINTS : (row + 1) * _POINTS], points_x)
        touched[row] = inside.reshape(_POINTS, columns, _POINTS).any((0, 2))
    spacing = max(1.0, min(y[-1] / rows, x[-1] / columns) / _POINTS)
    for trace in mask.traces(spacing, (y[-1], x[-1])):
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


_ROWS = 256
"""Rows of pixels tested at once."""


class Mask(Protocol):
    """A part of an image; positions are in image pixels, of which pixel 0 spans 0 to 1."""

    @property
    def absent(self) -> str:
        """What is wrong where the mask touches no pixel of the image."""
        ...

    def describe(self) -> dict[str, object]:
        """Return what JSON can hold of the mask."""
        ...

    def inside(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which points of a grid are inside, bool (n_y, n_x)."""
        ...

    def touched(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_] | None:
        """Return which cells between some edges it touches; None where only traces tell it."""
        ...

    def traces(self, spacing: float, shape: tuple[float, float]) -> Iterator[NDArray[np.float64]]:
        """Yield points inside or on the edge, float64 (n, 2), at least one on every thin part.

        Those outside an image of a shape (y, x) may be left out.
        """
        ...


def require_near(name: str, given: object, positions: ArrayLike) -> None:
    """Refuse positions so far from any image that distances to them have no digits left."""
    if np.abs(positions).max() > FARTHEST:
        raise refuse(name, given, f"positions up to {FARTHEST:g} image pixels away", ImageError)


def _centers(low: float, high: float) -> NDArray[np.float64]:
    """Return the centers of the pixels between two positions."""
    first, stop = int(np.ceil(low - 0.5)), int(np.ceil(high - 0.5))
    return np.arange(first, stop, dtype=np.float64) + 0.5
