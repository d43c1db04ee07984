"""A map to objects: above a threshold, connected, split at valleys, not too small."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.annotation.peaks import central_pixels, prominent_cells
from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.imaging.lattice import Lattice

__all__ = [
    "SPLITS",
    "check_segmentation",
    "connected",
    "enclosed_pixels",
    "segment",
    "winning_prompt",
    "without_small",
]

SPLITS = ("none", "watershed")
"""How objects that touch are separated."""


def check_segmentation(min_area: Any, split: Any) -> None:
    """Raise unless the settings of `segment` are what it takes.

    Raises
    ------
    SettingsError
    """
    if split not in SPLITS:
        raise SettingsError(
            f"split is {split!r}; accepted: {', '.join(map(repr, SPLITS))}, where 'watershed' "
            "separates objects that touch by the map's peaks"
        )
    if isinstance(min_area, bool) or not isinstance(min_area, int | float | np.number):
        raise SettingsError(f"min_area is {min_area!r}; accepted: a number of image pixels")
    if not (math.isfinite(min_area) and min_area >= 0):
        raise SettingsError(f"min_area is {min_area!r}; accepted: image pixels, 0 or more")


def segment(
    values: NDArray[np.float32],
    lattice_values: NDArray[np.float32],
    lattice: Lattice,
    limit: float,
    *,
    min_area: float = 0,
    split: str = "none",
    fill_holes: bool = False,
) -> NDArray[np.int32]:
    """Return the objects of one map, numbered from 1 in the order of their first pixels.

    Parameters
    ----------
    values : float32 (y, x)
        The map at image pixels; NaN belongs to no object.
    lattice_values : float32 (grid_y, grid_x)
        The same at patches.
    lattice : Lattice
    limit : float
        An object is a connected area (pixels that share an edge) with values above it.
    min_area : float
        Image pixels; smaller objects are left out.
    split : {"none", "watershed"}
        "watershed" separates an object with several peaks at the valleys between them.
    fill_holes : bool
        Whether what an object encloses belongs to it.
    """
    mask = values > limit
    if fill_holes:
        mask |= enclosed_pixels(mask)
    labels = connected(mask)
    if split == "watershed":
        cells = prominent_cells(lattice_values, limit)
        labels = _split(values, labels, _markers(labels, cells, lattice))
    return without_small(labels, min_area)


def connected(mask: NDArray[Any]) -> NDArray[np.int32]:
    """Return the connected areas of one value, numbered from 1 in the order of their first pixels.

    Pixels that only share a corner are not connected; 0 is background.
    """
    from skimage.measure import label  # deferred: it takes a second to import

    numbered: NDArray[np.int32] = label(mask, connectivity=1).astype(np.int32, copy=False)
    return numbered


def without_small(labels: NDArray[np.int32], min_area: float) -> NDArray[np.int32]:
    """Leave out labels of fewer pixels, and number the rest without gaps."""
    keep = np.bincount(labels.ravel()) >= max(1, min_area)
    keep[0] = False
    if keep[1:].all():
        return labels
    number = np.zeros(len(keep), np.int32)
    number[keep] = np.arange(1, keep.sum() + 1)
    return number[labels]


def winning_prompt(values: NDArray[np.float32], margin: float) -> NDArray[np.int32]:
    """Return which map is the highest at each pixel, counted from 1; 0 where none is.

    Parameters
    ----------
    values : float32 (prompt, y, x)
        Of two prompts or more.
    margin : float
        By how much a map must be above each other one, in units of its own range.
    """
    low, high = np.fmin.reduce(values, axis=(1, 2)), np.fmax.reduce(values, axis=(1, 2))
    known = np.isfinite(values).all(axis=0)
    shown = np.where(known, values, -np.inf)
    best = shown.argmax(axis=0)
    second, first = np.partition(shown, -2, axis=0)[-2:]
    with np.errstate(invalid="ignore"):
        lead = first - second  # NaN where nothing is known
    wins = lead > margin * (high - low)[best]
    return np.where(wins, best + 1, 0).astype(np.int32)


def enclosed_pixels(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the background that cannot be reached from the border."""
    from skimage.measure import label

    outside = label(~mask, connectivity=2)
    rim = np.concatenate([outside[0], outside[-1], outside[:, 0], outside[:, -1]])
    reached = np.zeros(int(outside.max()) + 1, bool)
    reached[rim] = True
    enclosed: NDArray[np.bool_] = ~mask & ~reached[outside]
    return enclosed


def _markers(
    labels: NDArray[np.int32], cells: NDArray[np.intp], lattice: Lattice
) -> NDArray[np.int32]:
    """Return one marker for each peak, and one for each object that has none."""
    markers = np.zeros(labels.shape, np.int32)
    markers[central_pixels(lattice, cells)] = np.arange(1, len(cells) + 1)
    markers[labels == 0] = 0
    marked = np.zeros(int(labels.max()) + 1, bool)
    marked[labels[markers > 0]] = True
    alone = ~marked[labels] & (labels > 0)
    markers[alone] = labels[alone] + len(cells)
    return markers


def _split(
    values: NDArray[np.float32], labels: NDArray[np.int32], markers: NDArray[np.int32]
) -> NDArray[np.int32]:
    from skimage.segmentation import watershed

    if not labels.any():
        return labels
    shown = np.where(np.isfinite(values), values, np.float32(0))  # a filled hole may be invalid
    basins = watershed(-shown, markers, mask=labels > 0)
    return connected(basins)  # numbered by first pixels again
