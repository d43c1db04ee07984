"""The results of an evaluation, as text and as numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_clip_heatmap.evaluation.drawn import DrawnResult
from napari_clip_heatmap.evaluation.micrographs.micrograph_scores import MicrographResult
from napari_clip_heatmap.evaluation.objects.object_report import ObjectReport
from napari_clip_heatmap.evaluation.scores import Scores
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
    drawn : DrawnResult
        Results on drawn scenes.
    nuclei, blood : Scores or None
        Results on real images, if there were any.
    objects : ObjectReport or None
        Objects found and named by words.
    micrographs : MicrographResult or None
        Results on real micrographs of many kinds.
    """

    model: dict[str, object]
    drawn: DrawnResult
    nuclei: Scores | None
    blood: Scores | None
    objects: ObjectReport | None = None
    micrographs: MicrographResult | None = None

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
            },
            "nuclei": None if self.nuclei is None else dict(self.nuclei.values),
            "blood": None if self.blood is None else dict(self.blood.values),
            "objects": None if self.objects is None else self.objects.values(),
            "micrographs": None if self.micrographs is None else self.micrographs.figures(),
        }
        (folder / "report.json").write_text(json.dumps(values, indent=1), encoding="utf-8")

    def _lines(self) -> Iterator[str]:
        yield f"# Heatmaps of {self.model.get('name')} against the truth"
        yield "\nAUROC: 0.5 is chance, 1 is perfect. Relative maps among all classes.\n"
        yield from self._drawn_lines()
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

    def _confusion_lines(self) -> Iterator[str]:
        yield "\n## Confusion: fraction of a class's pixels where a prompt's map is the highest\n"
        yield "| class \\ prompt | " + " | ".join(CLASSES) + " |"
        yield "|---" * (len(CLASSES) + 1) + "|"
        for name, row in zip(CLASSES, self.drawn.confusion, strict=True):
            yield f"| {name} | " + " | ".join(f"{fraction:.2f}" for fraction in row) + " |"


def _table(scores: Scores, targets: dict[str, float], *, use_median: bool) -> Iterator[str]:
    yield "| what | median | mean | worst | images | target |"
    yield "|---|---|---|---|---|---|"
    measure = "median" if use_median else "mean"
    for name, found in scores.values.items():
        target = f"{measure} {targets[name]}" if name in targets else "-"
        figures = f"{scores.median(name):.3f} | {scores.mean(name):.3f} | {min(found):.3f}"
        yield f"| {name} | {figures} | {len(found)} | {target} |"
