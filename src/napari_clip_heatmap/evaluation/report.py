"""The results of an evaluation, as text and as numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_clip_heatmap.evaluation.drawn import DrawnResult
from napari_clip_heatmap.evaluation.faithfulness.paired import bootstrap_interval
from napari_clip_heatmap.evaluation.micrographs.micrograph_scores import MicrographResult
from napari_clip_heatmap.evaluation.objects.object_report import ObjectReport
from napari_clip_heatmap.evaluation.scores import Scores, SeedSpread
from napari_clip_heatmap.scenes import CLASSES

__all__ = ["BLOOD_TARGETS", "NUCLEI_TARGETS", "Report"]

NUCLEI_TARGETS = {"fluorescence": 0.97, "stained": 0.95, "brightfield": 0.97}
"""Kind of real image -> median AUROC of "nuclei" that a useful model reaches."""
BLOOD_TARGETS = {"white blood cells": 0.97, "platelets": 0.90, "red blood cells": 0.76}
"""Class -> mean AUROC on real smears that a useful model reaches."""
_OTHERS_MEDIAN, _OTHERS_WORST, _ALL_MEDIAN = 0.97, 0.92, 0.92


@dataclass(frozen=True, slots=True)
class Report:
    """All results; `str` gives the tables.

    Attributes
    ----------
    model : mapping
        The model's description, as JSON-able values.
    by_seed : tuple of DrawnResult
        Results on drawn scenes, for each set of seeds.
    nuclei, blood : Scores or None
        Results on real images, if there were any.
    objects : ObjectReport or None
        Objects found and named by words.
    micrographs : MicrographResult or None
        Results on real micrographs of many kinds.
    """

    model: dict[str, object]
    by_seed: tuple[DrawnResult, ...]
    nuclei: Scores | None
    blood: Scores | None
    objects: ObjectReport | None = None
    micrographs: MicrographResult | None = None

    @property
    def drawn(self) -> DrawnResult:
        """Results on all drawn scenes together."""
        return DrawnResult.joined(self.by_seed)

    def over_seeds(self) -> dict[str, SeedSpread]:
        """Return the figures of drawn scenes over sets of seeds, by their names."""
        spreads = {
            "against the other classes, median": SeedSpread.of(
                each.against_others.median_of_means() for each in self.by_seed
            ),
            "against the other classes, worst class": SeedSpread.of(
                each.against_others.worst_mean() for each in self.by_seed
            ),
            "against all pixels, median": SeedSpread.of(
                each.against_all.median_of_means() for each in self.by_seed
            ),
        }
        for name in self.drawn.against_all.values:
            spreads[f"{name}, against all pixels"] = SeedSpread.of(
                each.against_all.mean(name)
                for each in self.by_seed
                if name in each.against_all.values
            )
        return spreads

    def __str__(self) -> str:
        """Return the report as Markdown."""
        return "\n".join(self._lines())

    def write(self, folder: Path) -> None:
        """Write ``report.md`` and ``report.json`` into ``folder``."""
        (folder / "report.md").write_text(f"{self}\n", encoding="utf-8")
        values = {
            "model": self.model,
            "drawn": {
                "against_others": dict(self.drawn.against_others.values),
                "against_all": dict(self.drawn.against_all.values),
                "confusion": self.drawn.confusion.tolist(),
                "classes": list(CLASSES),
                "over_seeds": {name: asdict(each) for name, each in self.over_seeds().items()},
            },
            "nuclei": None if self.nuclei is None else dict(self.nuclei.values),
            "blood": None if self.blood is None else dict(self.blood.values),
            "objects": None if self.objects is None else self.objects.values(),
            "micrographs": None if self.micrographs is None else self.micrographs.figures(),
        }
        text = json.dumps(_without_nan(values), indent=1)
        (folder / "report.json").write_text(text, encoding="utf-8")

    def _lines(self) -> Iterator[str]:
        yield f"# Heatmaps of {self.model.get('name')} against the truth"
        yield "\nAUROC: 0.5 is chance, 1 is perfect. Relative maps among all classes.\n"
        yield from self._drawn_lines()
        yield from self._seed_lines()
        yield from self._confusion_lines()
        if self.nuclei is not None:
            yield "\n## Real images, `nuclei`\n"
            yield from _table(self.nuclei, NUCLEI_TARGETS, use_median=True)
        if self.blood is not None:
            yield "\n## Real blood smears, pixels in the boxes against the rest\n"
            yield from _table(self.blood, BLOOD_TARGETS, use_median=False)
        if self.objects is not None:
            yield f"\n{self.objects}"
        if self.micrographs is not None:
            yield "\n## Real micrographs\n"
            yield from self.micrographs.lines()

    def _drawn_lines(self) -> Iterator[str]:
        others, everything = self.drawn.against_others, self.drawn.against_all
        yield "## Drawn scenes\n"
        yield "| class | against the other classes | against all pixels | scenes |"
        yield "|---|---|---|---|"
        for name in everything.values:
            other = f"{others.mean(name):.3f}" if name in others.values else "-"
            n_scenes = len(everything.values[name])
            yield f"| {name} | {other} | {everything.mean(name):.3f} | {n_scenes} |"
        yield (
            f"\nMedian {others.median_of_means():.3f} (target {_OTHERS_MEDIAN}), "
            f"worst {others.worst_mean():.3f} (target {_OTHERS_WORST}); against all pixels "
            f"median {everything.median_of_means():.3f} (target {_ALL_MEDIAN})."
        )

    def _seed_lines(self) -> Iterator[str]:
        if len(self.by_seed) < 2:
            return
        yield (
            f"\nOver {len(self.by_seed)} sets of scenes with seeds of their own: the mean over "
            "sets, its 95 % interval, and the worst set.\n"
        )
        yield "| AUROC | mean | 95 % | worst | sets |"
        yield "|---|---|---|---|---|"
        for name, found in self.over_seeds().items():
            span = f"{found.low:.3f} to {found.high:.3f}"
            yield f"| {name} | {found.mean:.3f} | {span} | {found.worst:.3f} | {found.n_seeds} |"

    def _confusion_lines(self) -> Iterator[str]:
        yield "\n## Confusion: fraction of a class's pixels where a prompt's map is the highest\n"
        yield "| class \\ prompt | " + " | ".join(CLASSES) + " |"
        yield "|---" * (len(CLASSES) + 1) + "|"
        for name, row in zip(CLASSES, self.drawn.confusion, strict=True):
            yield f"| {name} | " + " | ".join(f"{fraction:.2f}" for fraction in row) + " |"


def _table(scores: Scores, targets: dict[str, float], *, use_median: bool) -> Iterator[str]:
    yield "| what | median | mean | 95 % of the mean | worst | images | target |"
    yield "|---|---|---|---|---|---|---|"
    measure = "median" if use_median else "mean"
    for name, found in scores.values.items():
        target = f"{measure} {targets[name]}" if name in targets else "-"
        low, high = bootstrap_interval(np.array(found), 0)
        middle = f"{scores.median(name):.3f} | {scores.mean(name):.3f} | {low:.3f} to {high:.3f}"
        yield f"| {name} | {middle} | {min(found):.3f} | {len(found)} | {target} |"


def _without_nan(value: Any) -> Any:
    """Return JSON-able values with null for NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and np.isnan(value) else value
