"""Objects that were found against true ones, and the best that a patch lattice allows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.annotation.coverage import measure_coverage
from napari_clip_heatmap.annotation.segmentation import SPLITS, segment
from napari_clip_heatmap.imaging.lattice import Lattice
from napari_clip_heatmap.imaging.resample import to_image_pixels

__all__ = ["MatchCounts", "compare_objects", "oracle_objects"]

_LIMITS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Covered fractions of a patch that the oracle tries as thresholds."""


@dataclass(frozen=True, slots=True)
class MatchCounts:
    """How objects that were found agree with true ones, over one image or several.

    Attributes
    ----------
    matched, found, true : int
        Objects that cover a true one with an intersection over union above 0.5; all that were
        found; all that are there.
    miscounted : int
        Sum over images of the difference between found and true.
    """

    matched: int
    found: int
    true: int
    miscounted: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; NaN where there is nothing to find."""
        return 2 * self.matched / (self.found + self.true) if self.true else float("nan")

    @property
    def count_error(self) -> float:
        """Objects miscounted, image by image, over those that are there."""
        return self.miscounted / self.true if self.true else float("nan")

    @classmethod
    def total(cls, parts: Iterable[MatchCounts]) -> MatchCounts:
        """Return the agreement over all images."""
        each = [(part.matched, part.found, part.true, part.miscounted) for part in parts]
        matched, found, true, miscounted = np.sum(each, axis=0, dtype=int).tolist()
        return cls(matched, found, true, miscounted)


def compare_objects(found: NDArray[Any], true: NDArray[Any]) -> MatchCounts:
    """Compare two label images of one shape; 0 is the background.

    Above an intersection over union of 0.5 no object can match two, so nothing needs choosing.
    """
    shape = int(true.max()) + 1, int(found.max()) + 1
    pairs = true.ravel().astype(np.int64) * shape[1] + found.ravel()
    shared = np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape)
    of_true, of_found = shared.sum(axis=1, keepdims=True), shared.sum(axis=0, keepdims=True)
    union = of_true + of_found - shared
    matched = int((shared[1:, 1:] > 0.5 * union[1:, 1:]).sum())
    n_found = int(np.count_nonzero(of_found[0, 1:]))
    n_true = int(np.count_nonzero(of_true[1:, 0]))
    return MatchCounts(matched, n_found, n_true, abs(n_found - n_true))


def oracle_objects(true: NDArray[Any], lattice: Lattice) -> NDArray[np.int32]:
    """Return the best objects that a map on the lattice could give.

    The map is the truth itself, averaged over each patch; of thresholds and splits, those are taken
    that agree best with the truth.

    Parameters
    ----------
    true : integer (y, x)
        Labels of the shape of the image.
    lattice : Lattice
    """
    coverage = measure_coverage((true != 0).astype(np.uint8), lattice)
    fractions = np.zeros(lattice.grid[0] * lattice.grid[1], np.float32)
    fractions[coverage.cell] = coverage.fraction
    lattice_values = fractions.reshape(lattice.grid)
    values = to_image_pixels(lattice_values[np.newaxis], lattice)[0]
    tried = [
        segment(values, lattice_values, lattice, limit, split=split)
        for limit in _LIMITS
        for split in SPLITS
    ]
    agreements = [compare_objects(labels, true) for labels in tried]
    best = max(range(len(tried)), key=lambda number: agreements[number].f1)
    return tried[best]
