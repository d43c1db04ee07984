"""The value from which a map counts as its prompt: a number, or learnt from the map itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import SettingsError

__all__ = ["THRESHOLD_METHODS", "Threshold", "learn_threshold"]

Threshold = float | str
"""A number in the unit of the map, "otsu", "yen", "triangle", or "quantile:0.9"."""

_QUANTILE = "quantile:"


def _skimage(name: str) -> Callable[[NDArray[np.float32]], float]:
    def learn(values: NDArray[np.float32]) -> float:
        from skimage import filters  # deferred: it takes a second to import

        return float(getattr(filters, f"threshold_{name}")(values))

    return learn


THRESHOLD_METHODS: Mapping[str, Callable[[NDArray[np.float32]], float]] = {
    name: _skimage(name) for name in ("otsu", "yen", "triangle")
}
"""Name -> the function that learns a threshold from values."""


def learn_threshold(lattice_values: NDArray[np.float32], threshold: Threshold) -> float:
    """Return the threshold of one map; NaN where the map says nothing that could be divided.

    It is learnt from one value per patch: interpolated pixels would count one patch many times,
    and add values that no patch has.

    Parameters
    ----------
    lattice_values : float32 (grid_y, grid_x)
        NaN where nothing is known.
    threshold : float or str
        A number is returned as it is.

    Raises
    ------
    SettingsError
        The threshold is neither a finite number nor a known method.
    """
    method = _method(threshold)
    if isinstance(method, float):
        return method
    known = lattice_values[np.isfinite(lattice_values)]
    if known.size == 0 or known.min() == known.max():
        return math.nan
    return method(known)


def _method(threshold: Any) -> float | Callable[[NDArray[np.float32]], float]:
    if isinstance(threshold, str):
        if threshold in THRESHOLD_METHODS:
            return THRESHOLD_METHODS[threshold]
        if threshold.startswith(_QUANTILE):
            share = _number(threshold.removeprefix(_QUANTILE))
            if 0 <= share <= 1:
                return lambda values: float(np.quantile(values, share))
    elif type(threshold) is not bool and isinstance(threshold, Real) and math.isfinite(threshold):
        return float(threshold)
    raise SettingsError(
        f"the threshold is {threshold!r}; accepted: a finite number in the unit of the map, "
        f"{', '.join(map(repr, THRESHOLD_METHODS))}, or 'quantile:Q' with Q from 0 to 1, such as "
        "'quantile:0.9'"
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
