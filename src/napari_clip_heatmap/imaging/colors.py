"""Heatmap values as pictures: each map scaled by its own range, and the jet colors."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.opencv import cv2

__all__ = ["as_levels", "jet", "min_max", "stretch"]


_ROUNDING = 1e-5
"""A range below this part of a map's largest value is only rounding."""


def min_max(values: NDArray[np.float32], least: float = 0.0) -> NDArray[np.float32]:
    """Scale each map to 0..1 by its own smallest and largest finite value.

    Parameters
    ----------
    values : float32 (map, y, x)
        NaN where there is nothing to show; it stays NaN and does not count in the range.
    least : float
        Smallest range that is stretched.

    Returns
    -------
    float32 (map, y, x)
        A map without a range of its own, but for rounding, is 0 everywhere.
    """
    low, span = stretch(values, least)
    unit: NDArray[np.float32] = (values - low) / span
    return unit


def stretch(
    values: NDArray[np.float32], least: float = 0.0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what `min_max` subtracts from each map, and what it divides by, both (map, 1, 1)."""
    low = np.fmin.reduce(values, axis=(1, 2), keepdims=True)
    high = np.fmax.reduce(values, axis=(1, 2), keepdims=True)
    span = high - low
    flat = ~(span > np.maximum(_ROUNDING * np.maximum(np.abs(low), np.abs(high)), least))
    span[flat] = np.inf
    return low, span


def jet(unit: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Color maps with OpenCV's JET: dark blue at 0, dark red at 1, black where NaN.

    Parameters
    ----------
    unit : float32 (map, y, x)
        Values in 0..1, or NaN.

    Returns
    -------
    uint8 (map, y, x, 3)
        Red, green, blue.
    """
    row = unit.reshape(1, -1)
    colors: NDArray[np.uint8] = cv2.applyColorMap(as_levels(row), _jet_table())
    shown = np.isfinite(row)
    if not shown.all():
        colors[~shown] = 0
    return colors.reshape(*unit.shape, 3)


def as_levels(unit: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return 0..1 as 0..255, uint8 of the same shape: rounded, and cut off."""
    # In a sixth of NumPy's time. In one row, as OpenCV takes a scalar for four rows of one value.
    levels: NDArray[np.uint8] = cv2.multiply(unit.reshape(1, -1), 255.0, dtype=cv2.CV_8U)
    return levels.reshape(unit.shape)


@cache
def _jet_table() -> NDArray[np.uint8]:
    """Return the colors of 256 levels, RGB, uint8 (256, 1, 3)."""
    table = cv2.applyColorMap(np.arange(256, dtype=np.uint8), cv2.COLORMAP_JET)
    return np.ascontiguousarray(table.reshape(256, 1, 3)[..., ::-1])
