"""Paired comparison of methods over the same stimuli."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wilcoxon

__all__ = ["PairedComparison", "bootstrap_interval", "bootstrap_rate", "compare"]

N_RESAMPLES = 2000
_LEVEL = 0.95


@dataclass(frozen=True)
class PairedComparison:
    """One method against the reference, over stimuli.

    Parameters
    ----------
    mean : float
        Of the method.
    interval : (float, float)
        95 % bootstrap interval of the mean.
    difference : float
        Reference minus method, the mean over stimuli.
    difference_interval : (float, float)
        95 % bootstrap interval of the difference.
    p_value : float
        Of Wilcoxon's signed-rank test that the differences lie about 0; 1 where all are 0.
    wins : float
        Part of the stimuli on which the reference is higher; ties count half.
    """

    mean: float
    interval: tuple[float, float]
    difference: float
    difference_interval: tuple[float, float]
    p_value: float
    wins: float


def compare(
    values: NDArray[np.float64], reference: NDArray[np.float64], seed: int
) -> PairedComparison:
    """Compare a method with the reference on the same stimuli.

    Parameters
    ----------
    values, reference : float64 (stimulus,)
        Higher is better.
    seed : int
        Of the bootstrap.
    """
    gaps = reference - values
    tied = not gaps.any()
    return PairedComparison(
        mean=float(values.mean()),
        interval=bootstrap_interval(values, seed),
        difference=float(gaps.mean()),
        difference_interval=bootstrap_interval(gaps, seed),
        p_value=1.0 if tied else float(wilcoxon(gaps).pvalue),
        wins=float((gaps > 0).mean() + (gaps == 0).mean() / 2),
    )


def bootstrap_interval(values: NDArray[np.float64], seed: int) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean over resampled stimuli."""
    rng = np.random.default_rng(seed)
    chosen = rng.integers(len(values), size=(N_RESAMPLES, len(values)))
    means = values[chosen].mean(axis=1)
    low, high = np.quantile(means, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)


def bootstrap_rate(
    values: NDArray[np.float64], owners: NDArray[np.integer], seed: int
) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean over values, where owners are resampled.

    Parameters
    ----------
    values : float64 (value,)
    owners : int (value,)
        Whose value each is: those of one owner stay together, as they do not vary independently.
    seed : int
    """
    _, owner = np.unique(owners, return_inverse=True)
    sums, counts = np.bincount(owner, values), np.bincount(owner)
    chosen = np.random.default_rng(seed).integers(len(sums), size=(N_RESAMPLES, len(sums)))
    means = sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1)
    low, high = np.quantile(means, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)
