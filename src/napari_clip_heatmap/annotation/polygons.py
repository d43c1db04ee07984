"""Outlines of labels as polygons along pixel edges: neighbors share edges, holes stay holes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Polygon", "label_polygons"]

_BAND = 2**22
"""Pixels in which corners are looked for at once."""


@dataclass(frozen=True, eq=False)
class Polygon:
    """One connected part of an object.

    Parameters
    ----------
    label : int
    shell : int64 (corner, 2)
        Corners (y, x) of the outer ring, in pixels of which pixel 0 spans 0 to 1; the first is not
        repeated. Counter-clockwise where y points up.
    holes : tuple of int64 (corner, 2)
        Rings around what is left out, clockwise.
    """

    label: int
    shell: NDArray[np.int64]
    holes: tuple[NDArray[np.int64], ...]


def label_polygons(labels: NDArray[Any]) -> Iterator[Polygon]:
    """Yield the polygons of a label image; one for each connected part of a label.

    Pixels that touch at a corner only are parts of their own, so every polygon is valid: its rings
    do not cross, and meet in single points at most. Its area is the number of its pixels.

    Parameters
    ----------
    labels : integer (y, x)
        0 is background.
    """
    from skimage.measure import label  # deferred: it takes a second to import

    # Corners of a part, sorted along rows, pair up as the ends of its horizontal edges; sorted
    # along columns, as the ends of its vertical edges. At a point where two corners meet, the one
    # that ends an edge comes before the one that begins the next.
    part, y, x, right, down = _corners(label(labels, background=0, connectivity=1))
    by_row = np.lexsort((right, x, y, part))
    part, y, x, down = part[by_row], y[by_row], x[by_row], down[by_row]
    by_column = np.lexsort((down, y, x, part))
    partner = np.empty(len(part), np.int64)
    partner[by_column] = by_column.reshape(-1, 2)[:, ::-1].ravel()
    rings = _rings(partner.tolist())
    # The first ring of a part begins at its first pixel, so it is the shell.
    owner = part[np.array([ring[0] for ring in rings], np.int64)]
    points = np.stack([y, x], axis=1)
    starts = np.append(np.flatnonzero(np.diff(owner, prepend=0)), len(rings))
    for begin, end in pairwise(starts):
        shell, *holes = (points[ring] for ring in rings[begin:end])
        number = int(labels[shell[0, 0], shell[0, 1]])
        yield Polygon(number, shell, tuple(hole[::-1] for hole in holes))


def _corners(parts: NDArray[np.integer[Any]]) -> tuple[NDArray[Any], ...]:
    """Return part, y, x of each corner, and whether its edges go right, and down."""
    padded = np.pad(parts, 1)
    rows = max(1, _BAND // padded.shape[1])
    bands = [
        _corners_of_band(padded[top : top + rows + 1], top)
        for top in range(0, len(padded) - 1, rows)
    ]
    return tuple(np.concatenate(column) for column in zip(*bands, strict=True))


def _corners_of_band(band: NDArray[np.integer[Any]], top: int) -> tuple[NDArray[Any], ...]:
    quadrants = band[:-1, :-1], band[:-1, 1:], band[1:, :-1], band[1:, 1:]
    uneven = np.zeros(quadrants[0].shape, bool)
    for other in quadrants[1:]:
        uneven |= quadrants[0] != other
    y, x = np.nonzero(uneven)
    around = np.stack([quadrant[y, x] for quadrant in quadrants])
    found = []
    for place, part in enumerate(around):
        same = around == part
        new = (part != 0) & ~same[:place].any(axis=0)
        upper_left, upper_right, lower_left, lower_right = same
        odd = new & (upper_left ^ upper_right ^ lower_left ^ lower_right)
        # Two pixels that meet at the point, and two that do not: the edges of each of the latter
        # belong together, so that the part's rings do not cross there.
        double = new & ~odd & (upper_left == lower_right) & (upper_left != upper_right)
        for chosen, right, down in (
            (odd, upper_right != lower_right, lower_left != lower_right),
            (double, np.zeros_like(double), upper_left),
            (double, np.ones_like(double), ~upper_left),
        ):
            found.append((part[chosen], y[chosen] + top, x[chosen], right[chosen], down[chosen]))
    return tuple(np.concatenate(column) for column in zip(*found, strict=True))


def _rings(partner: list[int]) -> list[list[int]]:
    """Walk from corner to corner, along a row and along a column by turns, until all were met."""
    left = bytearray(b"\1") * len(partner)
    rings = []
    for first in range(len(partner)):
        ring = []
        corner = first
        while left[corner]:
            ring += [corner, corner ^ 1]
            left[corner] = left[corner ^ 1] = 0
            corner = partner[corner ^ 1]
        if ring:
            rings.append(ring)
    return rings
