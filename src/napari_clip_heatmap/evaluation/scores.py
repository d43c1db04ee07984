"""AUROCs by class or kind, and their summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from scipy import stats

__all__ = ["Scores", "SeedSpread"]

_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class SeedSpread:
    """How a figure differs between sets of scenes that were drawn from other seeds.

    Attributes
    ----------
    mean : float
        Over seeds.
    low, high : float
        95 % interval of that mean by Student's t; NaN with a single seed.
    worst : float
        The lowest of all seeds.
    n_seeds : int
    """

    mean: float
    low: float
    high: float
    worst: float
    n_seeds: int

    @classmethod
    def of(cls, values: Iterable[float]) -> SeedSpread:
        """Summarize one figure per seed; NaN, where a seed showed nothing of it, is left out.

        Examples
        --------
        >>> spread = SeedSpread.of([0.9, 0.92, 0.94])
        >>> f"{spread.mean:.2f} ({spread.low:.2f} to {spread.high:.2f}), worst {spread.worst}"
        '0.92 (0.87 to 0.97), worst 0.9'
        """
        found = np.array([value for value in values if not np.isnan(value)])
        if not len(found):
            return cls(np.nan, np.nan, np.nan, np.nan, 0)
        half = np.nan
        if len(found) > 1:
            quantile = stats.t.ppf((1 + _LEVEL) / 2, len(found) - 1)
            half = quantile * found.std(ddof=1) / np.sqrt(len(found))
        mean = float(found.mean())
        return cls(mean, float(mean - half), float(mean + half), float(found.min()), len(found))

    def __str__(self) -> str:
        """Return the figure with its interval and the worst seed."""
        return f"{self.mean:.3f} ({self.low:.3f} to {self.high:.3f}), worst {self.worst:.3f}"


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

    @classmethod
    def joined(cls, parts: Sequence[Scores]) -> Scores:
        """Return the values of several sets of images as those of one."""
        names = dict.fromkeys(chain.from_iterable(part.values for part in parts))
        return cls(
            {
                name: tuple(chain.from_iterable(part.values.get(name, ()) for part in parts))
                for name in names
            }
        )

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
