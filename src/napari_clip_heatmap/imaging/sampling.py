"""How one axis of stored pixels becomes one of working pixels: by area, or between centres."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Sampling"]

_BAND = 32
"""Working pixels per matrix product: the whole matrix is nearly all zeros."""


@dataclass(frozen=True)
class Sampling:
    """Working pixels as weighted sums of stored ones, along one axis.

    Working pixel ``i`` covers the interval from ``start + i * step`` to ``start + (i + 1) * step``
    of the stored axis, whose pixel ``j`` is the interval from ``j`` to ``j + 1``.

    Parameters
    ----------
    stored : int
        Length of the stored axis, in its pixels.
    start : float
        Where working pixel 0 begins, in stored pixels.
    step : float
        Width of a working pixel, in stored pixels.
    """

    stored: int
    start: float
    step: float

    def needed(self, working: slice) -> slice:
        """Return the stored pixels that some working pixels are made of; at least one."""
        if self.step < 1:  # the two stored centres around each working centre
            low = math.floor(self.start + (working.start + 0.5) * self.step - 0.5)
            high = math.floor(self.start + (working.stop - 0.5) * self.step - 0.5) + 2
        else:
            # A hair's breadth of the next pixel is rounding: 3 * (10 / 3) is 10.000000000000002.
            low = math.floor(self.start + working.start * self.step + 1e-6)
            high = math.ceil(self.start + working.stop * self.step - 1e-6)
        low = min(max(low, 0), self.stored - 1)
        return slice(low, max(min(high, self.stored), low + 1))

    def weights(self, working: slice) -> NDArray[np.float64] | None:
        """Return the share of each needed pixel in each working pixel, or None where they are one.

        Returns
        -------
        float64 (working pixel, stored pixel), optional
            Rows sum to 1: shares of the area, or, for working pixels narrower than stored ones,
            distances between centres (the outermost stored pixels continue beyond theirs).
        """
        if self.step == 1 and self.start == int(self.start):
            return None
        needed = self.needed(working)
        stored = np.arange(needed.start, needed.stop)
        begin = self.start + np.arange(working.start, working.stop)[:, np.newaxis] * self.step
        if self.step < 1:
            centres = np.clip(begin + self.step / 2 - 0.5, 0, self.stored - 1)
            shares = np.maximum(1 - np.abs(centres - stored), 0)
        else:
            end = np.minimum(begin + self.step, stored + 1)
            shares = np.maximum(end - np.maximum(begin, stored), 0)
        weights: NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
        return weights

    def average(self, numbers: NDArray[Any], working: slice) -> NDArray[Any]:
        """Return working pixels from the stored ones they need, along the first axis.

        Parameters
        ----------
        numbers : float32 or float64 (stored pixel, other, colour)
            Those of `needed`.
        working : slice

        Returns
        -------
        the same type (working pixel, other, colour)
        """
        if self.weights(slice(working.start, working.start + 1)) is None:
            return numbers
        first, (_, *others) = self.needed(working).start, numbers.shape
        flat = np.ascontiguousarray(numbers).reshape(len(numbers), -1)
        averaged = np.empty((working.stop - working.start, flat.shape[1]), flat.dtype)
        for low in range(working.start, working.stop, _BAND):
            band = slice(low, min(low + _BAND, working.stop))
            needed, weights = self.needed(band), self.weights(band)
            averaged[low - working.start : band.stop - working.start] = (
                np.asarray(weights, flat.dtype) @ flat[needed.start - first : needed.stop - first]
            )
        return averaged.reshape(-1, *others)
