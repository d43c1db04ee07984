"""A place of an image as a weighted sum of lattice cells: a pixel, or the mean over a mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import ImageError, SettingsError, shown_value
from napari_clip_heatmap.imaging.lattice import Axis, Lattice

__all__ = ["CellWeights", "Place", "read_place"]

_WINDOW = 512
"""Side of the windows of image pixels in which a mask is read."""

Pixels = NDArray[np.bool_]
Shown = Callable[[NDArray[np.float64], NDArray[np.float64]], "NDArray[np.bool_] | None"]


@dataclass(frozen=True, eq=False)
class CellWeights:
    """The weight of each cell in the map's value at a place; they sum to 1.

    Parameters
    ----------
    rows, columns : slice
        The rectangle of cells outside of which all weights are 0.
    weights : float64 (y, x)
    n_pixels : int
        Image pixels that have a value there.
    """

    rows: slice
    columns: slice
    weights: NDArray[np.float64]
    n_pixels: int


@dataclass(frozen=True, eq=False)
class Place:
    """Pixels of an image, and the rectangle that they lie in.

    Parameters
    ----------
    rows, columns : slice
        In image pixels.
    inside : bool (y, x)
        Which pixels of the rectangle belong to it.
    """

    rows: slice
    columns: slice
    inside: Pixels

    def cells(self, lattice: Lattice) -> tuple[slice, slice]:
        """Return the rectangle of cells (y, x) that its pixels are interpolated from."""
        y, x = (
            _cells(axis, pixels)
            for axis, pixels in ((lattice.y, self.rows), (lattice.x, self.columns))
        )
        return y, x

    def weights(self, lattice: Lattice, known: Pixels, *shown: Shown) -> CellWeights:
        """Return the weight of each cell in the mean of the map over the place.

        The same as the mean of `Heatmaps.values` over its pixels, those without a value left out.

        Parameters
        ----------
        lattice : Lattice
        known : bool (grid_y, grid_x)
            Cells that have a value.
        *shown : callable(y, x) -> bool (y, x) or None
            Which points have a value: `Validity.read`, `Region.inside`.

        Raises
        ------
        ImageError
            No pixel of the place has a value.
        """
        rows, columns = self.cells(lattice)
        total, n_pixels = np.zeros((rows.stop - rows.start, columns.stop - columns.start)), 0
        for y, x in self._windows():
            inside = self._shown(y, x, shown)
            own = np.ix_(_nearest(lattice.y, y), _nearest(lattice.x, x))
            inside = inside & known[own]
            if inside.any():
                total += _spread(inside, known[rows, columns], lattice, (y, x), (rows, columns))
                n_pixels += int(inside.sum())
        if not n_pixels:
            raise ImageError(
                "the map has no value at this place: its pixels are NaN, infinite, masked, or "
                "outside the region; choose another place"
            )
        return CellWeights(rows, columns, total / n_pixels, n_pixels)

    def _windows(self) -> Iterator[tuple[slice, slice]]:
        for top in range(self.rows.start, self.rows.stop, _WINDOW):
            for left in range(self.columns.start, self.columns.stop, _WINDOW):
                yield (
                    slice(top, min(top + _WINDOW, self.rows.stop)),
                    slice(left, min(left + _WINDOW, self.columns.stop)),
                )

    def _shown(self, y: slice, x: slice, shown: tuple[Shown, ...]) -> Pixels:
        first_row, first_column = self.rows.start, self.columns.start
        inside = self.inside[
            y.start - first_row : y.stop - first_row,
            x.start - first_column : x.stop - first_column,
        ].copy()
        centers = np.arange(y.start, y.stop) + 0.5, np.arange(x.start, x.stop) + 0.5
        for where in shown:
            visible = where(*centers)
            if visible is not None:
                inside &= visible
        return inside


def read_place(at: object, image_shape: tuple[int, int]) -> Place:
    """Return a place as a pixel (y, x) or a mask names it.

    Parameters
    ----------
    at : (int, int) or bool array (y, x)
    image_shape : (int, int)

    Raises
    ------
    SettingsError
        It is neither, or not on the image.
    """
    if isinstance(at, tuple | list) and len(at) == 2 and all(map(_is_whole, at)):
        row, column = int(at[0]), int(at[1])
        if not (0 <= row < image_shape[0] and 0 <= column < image_shape[1]):
            raise SettingsError(
                f"the place is row {row}, column {column}; the image has rows 0 to "
                f"{image_shape[0] - 1} and columns 0 to {image_shape[1] - 1}"
            )
        return Place(slice(row, row + 1), slice(column, column + 1), np.ones((1, 1), bool))
    mask = np.asarray(at) if hasattr(at, "shape") else None
    if mask is None or mask.dtype != np.bool_ or mask.shape != tuple(image_shape):
        given = shown_value(at) if mask is None else f"an array {mask.shape} of {mask.dtype}"
        raise SettingsError(
            f"at is {given}; accepted: None for the whole image, whole numbers (y, x) in image "
            f"pixels, or a mask of booleans of the image's shape {tuple(image_shape)}, such as "
            "`labels == 3`"
        )
    if not mask.any():
        raise SettingsError("the mask has no pixel; at least one must be True")
    rows, columns = (np.flatnonzero(mask.any(axis=1 - axis)) for axis in (0, 1))
    y, x = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    return Place(y, x, mask[y, x])


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool | np.bool_)


def _cells(axis: Axis, pixels: slice) -> slice:
    positions = axis.cell_positions(slice(pixels.start, pixels.stop))
    return slice(int(positions[0]), min(int(positions[-1]) + 2, axis.n_cells))


def _nearest(axis: Axis, pixels: slice) -> NDArray[np.intp]:
    return np.floor(axis.cell_positions(pixels) + 0.5).astype(np.intp)


def _interpolation(axis: Axis, pixels: slice, cells: slice) -> NDArray[np.float64]:
    """Return the bilinear weights of cells in pixels, (pixel, cell)."""
    positions = axis.cell_positions(pixels)
    distance = np.abs(positions[:, np.newaxis] - np.arange(cells.start, cells.stop))
    weights: NDArray[np.float64] = np.maximum(1 - distance, 0)
    return weights


def _spread(
    inside: Pixels,
    known: Pixels,
    lattice: Lattice,
    pixels: tuple[slice, slice],
    cells: tuple[slice, slice],
) -> NDArray[np.float64]:
    """Return the sum over pixels of the weights of cells, those without a value left out."""
    y, x = (
        _interpolation(axis, each, near)
        for axis, each, near in zip((lattice.y, lattice.x), pixels, cells, strict=True)
    )
    if known.all():
        return y.T @ inside @ x
    known_weight = y @ known @ x.T
    each = np.divide(inside, known_weight, out=np.zeros(inside.shape), where=inside)
    return (y.T @ each @ x) * known
