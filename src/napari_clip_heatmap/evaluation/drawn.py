"""Heatmaps against the masks of drawn scenes with seeds that training does not use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.api import encode
from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.evaluation.scores import Scores
from napari_clip_heatmap.scenes import CLASSES, draw

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["DrawnResult", "divide_scenes", "evaluate_drawn"]

SIDE = 256
"""Height and width of an evaluation scene, in pixels."""
_FEWEST = 50  # pixels below which an AUROC means nothing


@dataclass(frozen=True, slots=True)
class DrawnResult:
    """Results on drawn scenes.

    Attributes
    ----------
    against_others : Scores
        AUROC of each class's map: its pixels against the other classes' pixels.
    against_all : Scores
        The same against every other pixel of the scene.
    votes : ndarray (true class, strongest prompt) float64
        Number of a class's pixels where each prompt's map is the highest.
    """

    against_others: Scores
    against_all: Scores
    votes: NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Sequence[DrawnResult]) -> DrawnResult:
        """Return the results on several sets of scenes as those on one."""
        return cls(
            Scores.joined([part.against_others for part in parts]),
            Scores.joined([part.against_all for part in parts]),
            np.sum([part.votes for part in parts], axis=0),
        )

    @property
    def confusion(self) -> NDArray[np.float64]:
        """Fraction of a class's pixels where each prompt's map is the highest.

        Rows sum to 1, or are NaN for a class that no scene showed.
        """
        with np.errstate(invalid="ignore"):
            fractions: NDArray[np.float64] = self.votes / self.votes.sum(axis=1, keepdims=True)
        return fractions


def divide_scenes(n_scenes: int, n_seeds: int, seed: int) -> list[tuple[int, int]]:
    """Return (first seed, scenes) of each set: as equal as they can be, none is empty.

    Scenes follow one another from `seed` on, so together they are those of a single set.

    Examples
    --------
    >>> divide_scenes(8, 3, 100)
    [(100, 3), (103, 3), (106, 2)]
    """
    n_sets = min(n_seeds, n_scenes)
    sizes = [n_scenes // n_sets + (number < n_scenes % n_sets) for number in range(n_sets)]
    return [(seed + sum(sizes[:number]), size) for number, size in enumerate(sizes)]


def evaluate_drawn(
    model: ClipModel, *, n_scenes: int, seed: int, progress: Callable[[], None]
) -> DrawnResult:
    """Draw scenes, compute the heatmaps of every class, and compare them with the masks."""
    others: dict[str, list[float]] = {name: [] for name in CLASSES}
    everything: dict[str, list[float]] = {name: [] for name in CLASSES}
    votes = np.zeros((len(CLASSES), len(CLASSES)))
    for number in range(n_scenes):
        scene = draw(seed + number, (SIDE, SIDE))
        maps = encode(model, scene.image).heatmaps(CLASSES).values
        strongest = maps.argmax(0)
        for name, own, rest in _alone(scene.masks):
            row = CLASSES.index(name)
            votes[row] += np.bincount(strongest[own], minlength=len(CLASSES))
            values = maps[row]
            if rest.sum() >= _FEWEST:
                others[name].append(auroc(values[own], values[rest]))
            if (~scene.masks[name]).sum() >= _FEWEST:
                everything[name].append(auroc(values[own], values[~scene.masks[name]]))
        progress()
    return DrawnResult(Scores.collect(others), Scores.collect(everything), votes)


def _alone(
    masks: Mapping[str, NDArray[np.bool_]],
) -> Iterator[tuple[str, NDArray[np.bool_], NDArray[np.bool_]]]:
    """Yield each class that is present with its pixels, and the pixels of only the others."""
    named = dict(masks)
    for name, own in named.items():
        if own.sum() < _FEWEST:
            continue
        rest = np.zeros_like(own)
        for other, mask in named.items():
            if other != name:
                rest |= mask
        yield name, own, rest & ~own
