"""Pixel accuracy, intersection over union and average precision, as published tables have them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["IGNORED", "Confusion", "average_precision"]

IGNORED = 255
"""Label of pixels that do not count: borders and what is hard to tell."""


class Confusion:
    """Counts of pixels by true and predicted class, over all images.

    Parameters
    ----------
    n_classes : int

    Attributes
    ----------
    counts : int64 (true class, predicted class)
    """

    def __init__(self, n_classes: int) -> None:
        self.counts = np.zeros((n_classes, n_classes), np.int64)

    def add(self, truth: NDArray[np.integer], predicted: NDArray[np.integer]) -> None:
        """Count the pixels of one image.

        Parameters
        ----------
        truth, predicted : int (y, x)
            Classes from 0; pixels whose truth is `IGNORED` do not count.
        """
        known = truth != IGNORED
        n_classes = len(self.counts)
        pairs = truth[known].astype(np.int64) * n_classes + predicted[known]
        self.counts += np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)

    @property
    def pixel_accuracy(self) -> float:
        """Part of all pixels that have their true class."""
        return float(np.trace(self.counts) / self.counts.sum())

    @property
    def intersection_over_union(self) -> NDArray[np.float64]:
        """Of each class; NaN for one that is neither there nor predicted."""
        hits = np.diag(self.counts).astype(np.float64)
        union = self.counts.sum(axis=0) + self.counts.sum(axis=1) - hits
        ratio: NDArray[np.float64] = np.full(len(hits), np.nan)
        np.divide(hits, union, out=ratio, where=union > 0)
        return ratio

    @property
    def mean_intersection_over_union(self) -> float:
        """The mean over classes that are there or predicted."""
        return float(np.nanmean(self.intersection_over_union))


def average_precision(truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    """Return ``sum (recall_k - recall_k-1) precision_k`` over distinct scores, from the highest.

    Parameters
    ----------
    truth : bool (item,)
    scores : float (item,)
        Ties are taken together.

    Returns
    -------
    float
        0 where nothing is true.
    """
    if not truth.any():
        return 0.0
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], np.cumsum(truth[order])
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    precision = hits[last] / (last + 1)
    recall = hits[last] / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))
