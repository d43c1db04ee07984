"""The tables of ``clip-heatmap evaluate --examples``: AUROC after some clicks against words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_clip_heatmap.api import encode
from napari_clip_heatmap.evaluation.clicks.click_trial import COUNTS, FEWEST, ClickTrial
from napari_clip_heatmap.evaluation.clicks.labeled_images import count_images, read_images
from napari_clip_heatmap.evaluation.clicks.other_recipes import RECIPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["ClickReport", "measure_examples"]

USED = "used"
"""The recipe of `Encoding.example`, by its name in `RECIPES`."""

MIXED = "mixed"
"""The same with words, half and half."""

WORDS = "words"
TARGET_COUNT = 3
GOOD_WORDS = 0.95
"""Mean AUROC of words from which clicks need not be better."""

_COLUMNS = (
    (WORDS, WORDS),
    *((f"{USED} {count}", f"{count}+{count}") for count in COUNTS),
    *((f"{MIXED} {count}", f"{count}+{count} and words") for count in COUNTS),
    ("elsewhere", "3+3 of another image"),
)
"""Columns of the main table: their measure, and their head."""


@dataclass(frozen=True)
class ClickReport:
    """AUROCs by kind of image and thing.

    Parameters
    ----------
    model : mapping
        The model's description.
    values : mapping of str to mapping of str to list of float
        Kind, then measure ("words", "used 3", "mixed 3", "elsewhere", or recipe and count), one
        value per image.
    """

    model: Mapping[str, object]
    values: Mapping[str, Mapping[str, list[float]]]

    def __str__(self) -> str:
        """Return the report as Markdown."""
        return "\n".join(self._lines())

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write ``examples.md`` and ``examples.json``; return their paths."""
        text, figures = folder / "examples.md", folder / "examples.json"
        text.write_text(f"{self}\n", encoding="utf-8")
        record = {"model": dict(self.model), "values": self.values}
        figures.write_text(json.dumps(record, indent=1), encoding="utf-8")
        return text, figures

    def mean(self, kind: str, measure: str) -> float:
        """Return the mean over the images of a kind; NaN where nothing was measured."""
        found = self.values[kind].get(measure, [])
        return float(np.mean(found)) if found else float("nan")

    def not_better(self, recipe: str = USED) -> list[str]:
        """Return the kinds where words are below 0.95 and 3 + 3 clicks are no better."""
        measure = f"{recipe} {TARGET_COUNT}"
        return [
            kind
            for kind in self.values
            if self.mean(kind, WORDS) < GOOD_WORDS
            and not self.mean(kind, measure) > self.mean(kind, WORDS)
        ]

    def _lines(self) -> Iterator[str]:
        yield f"# Examples of {self.model.get('name')} against words"
        yield (
            "\nAUROC against the truth, the mean over images and in brackets the worst image: 0.5 "
            "is chance, 1 is perfect. n+n: after n positive clicks, at random inside the thing, "
            "and n negative ones, each at the worst mistake so far.\n"
        )
        yield "| kind: thing | images | " + " | ".join(head for _, head in _COLUMNS) + " |"
        yield "|---" * (len(_COLUMNS) + 2) + "|"
        for kind, measures in sorted(self.values.items()):
            cells = [_cell(measures.get(measure, [])) for measure, _ in _COLUMNS]
            yield f"| {kind} | {len(measures[WORDS])} | " + " | ".join(cells) + " |"
        yield from self._summary()
        yield from self._recipe_lines()

    def _summary(self) -> Iterator[str]:
        kinds = [kind for kind in self.values if self.mean(kind, WORDS) < GOOD_WORDS]
        for recipe, how in ((USED, "clicks"), (MIXED, "clicks and words")):
            worse = self.not_better(recipe)
            yield (
                f"\n{len(kinds) - len(worse)} of {len(kinds)} kinds where words are below "
                f"{GOOD_WORDS} are better after {TARGET_COUNT}+{TARGET_COUNT} {how}."
            )
            if worse:
                yield f"Not better: {', '.join(worse)}."

    def _recipe_lines(self) -> Iterator[str]:
        yield "\n## Recipes, over all kinds\n"
        yield (
            "| recipe | " + " | ".join(f"{n}+{n}" for n in COUNTS) + " | worst kind at 3+3 | "
            "mean of the worst images at 3+3 |"
        )
        yield "|---" * (len(COUNTS) + 3) + "|"
        names = (*RECIPES, MIXED)
        yield f"| words alone | {self._over(WORDS)} | | | {self._worst(WORDS)} |"
        for name in names:
            means = " | ".join(self._over(f"{name} {count}") for count in COUNTS)
            yield f"| {name} | {means} | {self._worst(f'{name} {TARGET_COUNT}')} |"

    def _over(self, measure: str) -> str:
        means = [self.mean(kind, measure) for kind in self.values]
        known = [mean for mean in means if not np.isnan(mean)]
        return f"{np.mean(known):.3f}" if known else "-"

    def _worst(self, measure: str) -> str:
        lowest = min(self.mean(kind, measure) for kind in self.values)
        found = [min(each[measure]) for each in self.values.values() if each.get(measure)]
        return f"{lowest:.3f} | {np.mean(found):.3f}" if found else "- | -"


def _cell(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ({min(values):.2f})" if values else ""


def measure_examples(
    model: ClipModel,
    *,
    data: Path | None,
    n_scenes: int,
    seed: int,
    progress: Callable[[int, int], None],
    downsample: float | Literal["auto"] = "auto",
) -> ClickReport:
    """Simulate clicks on drawn scenes and, where ``data`` is given, on real images.

    Parameters
    ----------
    model : ClipModel
    data : Path or None
        As `read_images` takes it.
    n_scenes, seed : int
    progress : callable
        Called with (images done, images in all).
    downsample : float or "auto"
        As `encode` takes it: large things are found better in an image made smaller.

    Raises
    ------
    ImageError
        The folder holds no labeled images.
    """
    total = count_images(data, n_scenes)
    values: dict[str, dict[str, list[float]]] = {}
    before: dict[str, NDArray[np.float64]] = {}
    for number, each in enumerate(read_images(data, n_scenes, seed)):
        encoding = encode(model, each.image, downsample=downsample)
        for name, mask in each.masks.items():
            if min(mask.sum(), (~mask).sum()) < FEWEST:
                continue
            kind = f"{each.kind}: {name}"
            measures = values.setdefault(kind, {})
            _measure(ClickTrial(encoding, name, mask, seed + number), measures, before, kind)
        progress(number + 1, total)
    return ClickReport(model.describe(), values)


def _measure(
    trial: ClickTrial,
    measures: dict[str, list[float]],
    before: dict[str, NDArray[np.float64]],
    kind: str,
) -> None:
    """Add what one thing in one image says; an example of the last such image is tried on it."""
    words = trial.words_map()
    measures.setdefault(WORDS, []).append(trial.score(words))
    if kind in before:
        measures.setdefault("elsewhere", []).append(trial.score(trial.map_of(before[kind])))
    runs = [(name, recipe, False) for name, recipe in RECIPES.items()]
    runs.append((MIXED, RECIPES[USED], True))
    for name, recipe, mixed in runs:
        for count, direction in trial.rounds(recipe, words, words=mixed):
            if count in COUNTS:
                score = trial.score(trial.map_of(direction))
                measures.setdefault(f"{name} {count}", []).append(score)
            if (name, count) == (USED, TARGET_COUNT):
                before[kind] = direction
