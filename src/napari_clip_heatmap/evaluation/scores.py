"""AUROCs by class or kind, and their summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Scores"]


@dataclass(frozen=True, slots=True)
class Scores:
    """One list of AUROCs per name, one value per image.

    Attributes
    ----------
    values : mapping of str to tuple of float
        Names that no image had anything to measure for are left out.
    """

    values: Mapping[str, tuple[float, ...]]

    @classmethod
    def collect(cls, values: Mapping[str, Sequence[float]]) -> Scores:
        """Keep the names that have values."""
        return cls({name: tuple(found) for name, found in values.items() if found})

    def mean(self, name: str) -> float:
        """Return the mean over images."""
        return float(np.mean(self.values[name]))

    def median(self, name: str) -> float:
        """Return the median over images."""
        return float(np.median(self.values[name]))

    def median_of_means(self) -> float:
        """Return the median over names of the mean over images; NaN if nothing was measured."""
        return float(np.median([self.mean(name) for name in self.values] or [np.nan]))

    def worst_mean(self) -> float:
        """Return the smallest mean over images; NaN if nothing was measured."""
        return min((self.mean(name) for name in self.values), default=float("nan"))
