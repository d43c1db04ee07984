"""How safe a score is: the same thing asked in many lists of prompts, good and bad ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_clip_heatmap.api import encode
from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.evaluation.meaning.asked_prompts import gibberish
from napari_clip_heatmap.evaluation.meaning.known_images import (
    KnownImage,
    count_labeled,
    draw_known,
    read_labeled,
)
from napari_clip_heatmap.pipeline.score_registry import SCORES, Score
from napari_clip_heatmap.scenes.vocabulary import CLASSES, MODALITY_NAMES, NAMES

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["PromptListReport", "draw_list", "measure_prompt_lists"]

_LISTS = 4
"""Lists for each image."""

_FEWEST = 50
"""Pixels of a thing, and without it, below which an AUROC says nothing."""


@dataclass(frozen=True)
class PromptListReport:
    """AUROCs by score, kind of image and list; `str` gives the table.

    Parameters
    ----------
    model : str
    kinds : tuple of str
        Of the image, per list.
    values : mapping of str to tuple of tuple of float
        Score to the AUROCs of each list's prompts that are in the image.
    """

    model: str
    kinds: tuple[str, ...]
    values: dict[str, tuple[tuple[float, ...], ...]]

    def __str__(self) -> str:
        """Return the report as Markdown."""
        return "\n".join(self._lines())

    def write(self, folder: Path) -> None:
        """Write ``prompt-lists.md`` and ``prompt-lists.json`` into a folder."""
        (folder / "prompt-lists.md").write_text(f"{self}\n", encoding="utf-8")
        record = {"model": self.model, "kinds": self.kinds, "auroc": self.values}
        (folder / "prompt-lists.json").write_text(json.dumps(record), encoding="utf-8")

    def _lines(self) -> Iterator[str]:
        yield f"# Scores of {self.model} over {len(self.kinds)} lists of prompts\n"
        yield (
            "AUROC of what is there against all other pixels: the mean over lists, of the worst "
            "prompt of each list the mean and the 5 % quantile, the worst of all, and the mean of "
            "each kind of image.\n"
        )
        kinds = tuple(dict.fromkeys(self.kinds))
        yield f"| score | mean | worst in list | 5 % | worst | {' | '.join(kinds)} |"
        yield "|---" * (5 + len(kinds)) + "|"
        for score, lists in self.values.items():
            mean = np.array([np.mean(found) for found in lists])
            worst = np.array([min(found) for found in lists])
            figures = (mean.mean(), worst.mean(), np.quantile(worst, 0.05), worst.min())
            by_kind = [mean[[each == kind for each in self.kinds]].mean() for kind in kinds]
            yield f"| {score} | {' | '.join(f'{x:.3f}' for x in (*figures, *by_kind))} |"


def measure_prompt_lists(
    model: ClipModel,
    *,
    data: Path | None,
    n_scenes: int,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PromptListReport:
    """Compare the scores that need no baseline on drawn scenes and labeled images.

    Parameters
    ----------
    model : ClipModel
    data : Path or None
        As `evaluate` takes it.
    n_scenes, seed : int
    progress : callable
        Called with (images done, images in all).
    """
    scores = [name for name, method in SCORES.items() if not method.requires_baseline]
    rng = np.random.default_rng(seed)
    words = tuple(text for texts in gibberish(seed, 20).values() for text in texts)
    total = n_scenes + (0 if data is None else count_labeled(data))
    kinds: list[str] = []
    values: dict[str, list[tuple[float, ...]]] = {score: [] for score in scores}
    sources = [draw_known(seed, n_scenes)] + ([] if data is None else [read_labeled(data)])
    for number, known in enumerate(image for source in sources for image in source):
        found = [each for each in _asked(model, known, scores, rng, words) if each[0]]
        for lists in found:
            kinds.append(known.kind)
            for score, aurocs in zip(scores, lists, strict=True):
                values[score].append(aurocs)
        progress(number + 1, total)
    return PromptListReport(
        model.name, tuple(kinds), {score: tuple(lists) for score, lists in values.items()}
    )


def _asked(
    model: ClipModel,
    known: KnownImage,
    scores: Sequence[Score],
    rng: np.random.Generator,
    words: Sequence[str],
) -> Iterator[list[tuple[float, ...]]]:
    """Yield for each list the AUROCs of its prompts that are in the image, by score."""
    useful = {
        name: mask
        for name, mask in known.masks.items()
        if min(mask.sum(), (~mask).sum()) >= _FEWEST
    }
    if not useful:
        return
    encoding = encode(model, known.image)
    for _ in range(_LISTS):
        asked = draw_list(rng, str(rng.choice(list(useful))), known, words)
        here = [(n, useful[name]) for n, name in enumerate(asked.values()) if name in useful]
        lists: list[tuple[float, ...]] = []
        for score in scores:
            maps = encoding.heatmaps(asked, score).values
            lists.append(tuple(auroc(maps[n][mask], maps[n][~mask]) for n, mask in here))
        yield lists


def draw_list(
    rng: np.random.Generator, wanted: str, known: KnownImage, words: Sequence[str]
) -> dict[str, str]:
    """Return prompts of which one names a class, in random order, each with its class or "".

    Parameters
    ----------
    rng : numpy.random.Generator
    wanted : str
        The class that is named in any case.
    known : KnownImage
        Of what other classes and absent things are taken.
    words : sequence of str
        Gibberish.
    """
    class_of = {name: each for each in CLASSES for name in NAMES[each]}
    modality = [name for names in MODALITY_NAMES.values() for name in names]
    pools: tuple[Sequence[str], ...] = (
        CLASSES,
        NAMES[wanted],
        words,
        known.absent or CLASSES,
        modality,
        (*class_of, *words, *modality),
    )
    pool = pools[int(rng.integers(len(pools)))]
    length = int(rng.integers(0, 12))
    others = [str(each) for each in rng.choice(pool, min(length, len(pool)), replace=False)]
    asked = [str(rng.choice(NAMES[wanted])), *others]
    order = rng.permutation(len(asked))
    return {asked[n]: class_of.get(asked[n], "") for n in order}
