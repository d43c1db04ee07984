"""Heatmaps against the masks of drawn scenes with seeds that training does not use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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

__all__ = ["DrawnResult", "evaluate_drawn"]

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
    confusion : ndarray (true class, strongest prompt) float64
        Fraction of a class's pixels where each prompt's map is the highest; rows sum to 1, or are
        NaN for a class that no scene showed.
    """

    against_others: Scores
    against_all: Scores
    confusion: NDArray[np.float64]


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
    with np.errstate(invalid="ignore"):
        confusion = votes / votes.sum(1, keepdims=True)
    return DrawnResult(Scores.collect(others), Scores.collect(everything), confusion)


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
