"""Whether a model names what real micrographs show, and how its maps fit their truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_clip_heatmap.api import encode
from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.evaluation.micrographs.micrograph_index import (
    GroupFold,
    Micrograph,
    truth_masks,
)
from napari_clip_heatmap.evaluation.micrographs.related_classes import may_show
from napari_clip_heatmap.evaluation.scores import Scores
from napari_clip_heatmap.files.reading.image_file import read_image

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["MicrographResult", "choose_micrographs", "evaluate_micrographs"]

NAMED_TARGET, MAPS_TARGET = 0.85, 0.90
_FEWEST = 50
"""Pixels of a thing, and without it, below which an AUROC says nothing."""


@dataclass(frozen=True, slots=True)
class MicrographResult:
    """Results on real micrographs.

    Attributes
    ----------
    named : Scores
        "modality: class" to 1 or 0 for each picture of the class: whether its similarity is above
        that of every class of the modality that the picture does not show.
    maps : Scores
        Name to the AUROC of its map in each picture whose truth marks it.
    """

    named: Scores
    maps: Scores

    def mean_named(self) -> float:
        """Return the mean over classes of the part of pictures that are named right."""
        return _mean_of_means(self.named)

    def mean_maps(self) -> float:
        """Return the mean over classes of the mean AUROC."""
        return _mean_of_means(self.maps)

    def lines(self) -> Iterator[str]:
        """Yield the tables in Markdown."""
        yield "| class | named right | pictures |"
        yield "|---|---|---|"
        for name, found in sorted(self.named.values.items()):
            yield f"| {name} | {self.named.mean(name):.2f} | {len(found)} |"
        yield f"\nMean over classes {self.mean_named():.3f} (target {NAMED_TARGET}).\n"
        yield "| truth | AUROC of its map | pictures |"
        yield "|---|---|---|"
        for name, found in sorted(self.maps.values.items()):
            yield f"| {name} | {self.maps.mean(name):.3f} | {len(found)} |"
        yield f"\nMean over classes {self.mean_maps():.3f} (target {MAPS_TARGET})."

    def figures(self) -> dict[str, dict[str, list[float]]]:
        """Return every figure as JSON-able values."""
        return {
            "named": {name: list(found) for name, found in self.named.values.items()},
            "maps": {name: list(found) for name, found in self.maps.values.items()},
        }


def choose_micrographs(
    micrographs: Sequence[Micrograph], *, fold: GroupFold | None = None, most: int | None = None
) -> list[tuple[Micrograph, frozenset[str]]]:
    """Return the pictures to measure, each with the classes that can be asked of it.

    Parameters
    ----------
    micrographs : sequence of Micrograph
    fold : GroupFold, optional
        Measure only its pictures, and ask only for classes that other folds show in the same
        modality, because a model that is trained on those cannot know any other.
    most : int, optional
        Pictures of each class in each modality, at most.
    """
    outside, inside = (micrographs, micrographs) if fold is None else fold.split(micrographs)
    known = {(each.modality, name) for each in outside for name in each.classes}
    counts: dict[tuple[str, str], int] = {}
    chosen = []
    for each in inside:
        askable = frozenset(name for modality, name in known if modality == each.modality)
        keys = [(each.modality, name) for name in each.classes if name in askable]
        if not keys or (most and min(counts.get(key, 0) for key in keys) >= most):
            continue
        for key in keys:
            counts[key] = counts.get(key, 0) + 1
        chosen.append((each, askable))
    return chosen


def evaluate_micrographs(
    model: ClipModel,
    chosen: Sequence[tuple[Micrograph, frozenset[str]]],
    progress: Callable[[], None],
) -> MicrographResult:
    """Encode each picture once, name its classes, and compare maps with its truth."""
    named: dict[str, list[float]] = {}
    maps: dict[str, list[float]] = {}
    for each, askable in chosen:
        image = read_image(each.path)
        masks = {
            name: mask
            for name, mask in truth_masks(each, image.shape[:2]).items()
            if min(np.count_nonzero(mask), np.count_nonzero(~mask)) >= _FEWEST
        }
        prompts = sorted(askable.union(masks))
        found = encode(model, image).heatmaps(prompts)
        similarity = dict(zip(prompts, found.similarity.tolist(), strict=True))
        for name, is_right in _judge(each, askable, similarity):
            named.setdefault(f"{each.modality}: {name}", []).append(float(is_right))
        for name, mask in masks.items():
            values = found.values[prompts.index(name)]
            maps.setdefault(name, []).append(auroc(values[mask], values[~mask]))
        progress()
    return MicrographResult(Scores.collect(named), Scores.collect(maps))


def _judge(
    micrograph: Micrograph, askable: frozenset[str], similarity: dict[str, float]
) -> Iterator[tuple[str, bool]]:
    """Yield each class of a picture, and whether it is above all that the picture does not show."""
    absent = askable - set(micrograph.classes) - may_show(micrograph.classes)
    highest = max((similarity[name] for name in absent), default=-np.inf)
    for name in micrograph.classes:
        if name in askable and absent:
            yield name, similarity[name] > highest


def _mean_of_means(scores: Scores) -> float:
    return float(np.mean([scores.mean(name) for name in scores.values] or [np.nan]))
