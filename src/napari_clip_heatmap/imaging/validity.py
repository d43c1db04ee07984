"""Which pixels of an image are valid: collected while it is read, at no cost if all are."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_clip_heatmap.imaging.lattice import Lattice

__all__ = ["Hole", "Validity"]

_LEAST_VALID = 0.5
"""Fraction of a tile that must be valid, so that its embedding counts."""


@dataclass(frozen=True, eq=False)
class Hole:
    """A rectangle of stored pixels, some of which are invalid.

    Parameters
    ----------
    stored_shape : (y, x)
        Of the level that was read.
    y, x : slice
        The rectangle, in stored pixels.
    packed : uint8 (y, x / 8), optional
        Which pixels are valid, one bit per pixel; None if none is.
    """

    stored_shape: tuple[int, int]
    y: slice
    x: slice
    packed: NDArray[np.uint8] | None

    def valid(self) -> NDArray[np.bool_]:
        """Return which pixels of the rectangle are valid, bool (y, x)."""
        shape = (self.y.stop - self.y.start, self.x.stop - self.x.start)
        if self.packed is None:
            return np.zeros(shape, bool)
        return np.unpackbits(self.packed, axis=1, count=shape[1]).astype(bool)


class Validity:
    """Where an image is NaN, infinite or masked, as far as it was read.

    Holes are stored at the resolution at which they were read, one bit per pixel, and only for
    blocks that have any. Pixels that were never read count as valid.

    Parameters
    ----------
    image_shape : (y, x)
        In image pixels.
    holes : iterable of Hole
        Holes that are known already.
    """

    def __init__(self, image_shape: tuple[int, int], holes: Iterable[Hole] = ()) -> None:
        self.image_shape = image_shape
        self._holes = {_place(hole.stored_shape, hole.y, hole.x): hole for hole in holes}
        self._lock = threading.Lock()

    def note(
        self, stored_shape: tuple[int, int], y: slice, x: slice, valid: NDArray[np.bool_] | None
    ) -> None:
        """Record which pixels of a rectangle of stored pixels are valid; None means all."""
        if valid is None:
            return
        packed = np.packbits(valid, axis=1) if valid.any() else None
        hole = Hole(stored_shape, y, x, packed)
        with self._lock:
            # With several channels the same rectangle is recorded more than once: all count.
            key = _place(stored_shape, y, x)
            old = self._holes.get(key)
            if old is not None:
                both = old.valid() & valid
                hole = Hole(stored_shape, y, x, np.packbits(both, axis=1) if both.any() else None)
            self._holes[key] = hole

    @property
    def holes(self) -> tuple[Hole, ...]:
        """All holes that were recorded."""
        with self._lock:
            return tuple(self._holes.values())

    def read(
        self, y: NDArray[np.floating[Any]], x: NDArray[np.floating[Any]]
    ) -> NDArray[np.bool_] | None:
        """Return whether the image is valid at some positions; None if it is at all of them.

        Parameters
        ----------
        y, x : float64 (n_y,), (n_x,)
            Rows and columns, ascending, in image pixels: pixel 0 spans 0 to 1.

        Returns
        -------
        bool (n_y, n_x), optional
        """
        valid = None
        for hole in self.holes:
            rows, in_y = _within(y, self.image_shape[0], hole.stored_shape[0], hole.y)
            columns, in_x = _within(x, self.image_shape[1], hole.stored_shape[1], hole.x)
            if not (len(in_y) and len(in_x)):
                continue
            if valid is None:
                valid = np.ones((len(y), len(x)), bool)
            valid[rows, columns] &= hole.valid()[np.ix_(in_y, in_x)]
        return valid

    def tile_fractions(self, lattice: Lattice) -> NDArray[np.float64] | None:
        """Return the fraction of each tile's cells that is valid, (row, column); None if all are.

        A cell is as valid as the image is at its center.
        """
        if not self._holes:
            return None
        axes = lattice.y, lattice.x
        y, x = (axis.cell_centers(slice(0, axis.n_cells)) for axis in axes)
        valid = self.read(y, x)
        if valid is None:
            return None
        in_y, in_x = ((axis.weights > 0).astype(np.float64) for axis in axes)
        n_cells = np.outer(in_y.sum(axis=1), in_x.sum(axis=1))
        fractions: NDArray[np.float64] = in_y @ valid @ in_x.T / n_cells
        return fractions

    def counted(self, lattice: Lattice, done: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return those of some tiles of which most is valid; all, where that is none.

        Parameters
        ----------
        lattice : Lattice
        done : bool (row, column)
        """
        seen = self.tile_fractions(lattice)
        if seen is None:
            return done
        mostly_valid = done & (seen >= _LEAST_VALID)
        return mostly_valid if mostly_valid.any() else done


def _place(stored_shape: tuple[int, int], y: slice, x: slice) -> tuple[int, ...]:
    return (*stored_shape, y.start, x.start, y.stop, x.stop)


def _within(
    positions: NDArray[np.floating[Any]], image: int, stored: int, part: slice
) -> tuple[slice, NDArray[np.intp]]:
    """Return which positions are in a part of a stored axis, and where in the part."""
    scale = stored / image
    pixels = np.minimum((positions * scale).astype(np.intp), stored - 1)
    first, stop = np.searchsorted(pixels, (part.start, part.stop))
    return slice(int(first), int(stop)), pixels[first:stop] - part.start
