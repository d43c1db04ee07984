"""Contours of a map at a threshold, from its patches: as fast for a large image as for a small."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.lattice import Axis, Lattice

__all__ = ["contour_segments", "map_contours"]

_PAD = 2
"""Patches around the map: one like its border, and one below the threshold that closes rings."""


def map_contours(
    lattice_values: NDArray[np.float32],
    lattice: Lattice,
    limit: float,
    *,
    min_area: float = 0,
    fill_holes: bool = False,
) -> list[NDArray[np.float64]]:
    """Return the rings along which an interpolated map crosses a threshold.

    Between four patch centers the map is bilinear; a ring crosses such a cell in a straight line.

    Parameters
    ----------
    lattice_values : float32 (grid_y, grid_x)
        NaN where nothing is known; rings end there.
    lattice : Lattice
    limit : float
        In the unit of the map. NaN gives no ring.
    min_area : float
        Image pixels; smaller objects have no ring.
    fill_holes : bool
        Whether rings around what an object encloses are left out.

    Returns
    -------
    list of float64 (corner, 2)
        y and x in image pixels, whole numbers at pixel centers; no corner lies outside the image.
        The last corner of a closed ring is its first.
    """
    known = lattice_values[np.isfinite(lattice_values)]
    if not known.size or not known.max() > limit:
        return []
    from skimage.measure import find_contours  # deferred: it takes a second to import

    low = min(float(known.min()), limit) - 1
    padded = np.pad(np.pad(lattice_values.astype(np.float64), 1, "edge"), 1, constant_values=low)
    axes = lattice.y, lattice.x
    rings = [
        np.stack([_positions(axis, at) for axis, at in zip(axes, ring.T, strict=True)], axis=1)
        for ring in find_contours(padded, limit, positive_orientation="high")
    ]
    return _large_enough(rings, min_area, fill_holes=fill_holes)


def contour_segments(rings: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the straight parts of rings, float64 (part, 2, 2): each its start and its way."""
    parts = [np.stack([ring[:-1], np.diff(ring, axis=0)], axis=1) for ring in rings]
    return np.concatenate(parts) if parts else np.zeros((0, 2, 2))


def _positions(axis: Axis, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return positions in image pixels of positions in the padded map."""
    position: NDArray[np.float64] = axis.position(at - _PAD + 0.5) - 0.5
    return position.clip(-0.5, axis.image - 0.5)


def _large_enough(
    rings: Sequence[NDArray[np.float64]], min_area: float, *, fill_holes: bool
) -> list[NDArray[np.float64]]:
    """Return the rings of objects that are not too small, and of their holes where these count."""
    areas = np.array([_signed_area(ring) for ring in rings])
    small = [ring for ring, area in zip(rings, areas, strict=True) if 0 < area < min_area]
    kept = []
    for ring, area in zip(rings, areas, strict=True):
        is_hole = area < 0
        if is_hole and (fill_holes or any(_inside(ring, other) for other in small)):
            continue
        if is_hole or area >= min_area:
            kept.append(ring)
    return kept


def _signed_area(ring: NDArray[np.float64]) -> float:
    """Return the area that a ring encloses: negative around what is below the threshold."""
    y, x = ring.T
    return float(np.sum(y * np.roll(x, -1) - x * np.roll(y, -1)) / 2)


def _inside(ring: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Tell whether a ring lies inside another, with which it shares no point."""
    if (ring.min(axis=0) < other.min(axis=0)).any() or (ring.max(axis=0) > other.max(axis=0)).any():
        return False
    from skimage.measure import points_in_poly

    return bool(points_in_poly(ring[:1], other)[0])
