"""The tables of a trial: errors by group, their intervals, and the worst kind of image."""

from __future__ import annotations

import json
from pathlib import Path

from napari_clip_heatmap.evaluation.meaning.asked_prompts import ABSENT, PRESENT
from napari_clip_heatmap.evaluation.verdict_report import VerdictReport
from napari_clip_heatmap.evaluation.verdict_trial import JudgedPrompt
from napari_clip_heatmap.pipeline.trust import Trust


def case(source: str, group: str, trust: Trust, image: int = 0) -> JudgedPrompt:
    return JudgedPrompt(source, group, "word", 1.5, 0.1, trust, trust, trust, image)


def test_the_mean_over_kinds_counts_each_kind_once(tmp_path: Path) -> None:
    judged = (
        *(case("a", ABSENT, Trust.NONE, image) for image in range(98)),
        *(case("a", ABSENT, Trust.GOOD, image) for image in (98, 99)),
        case("b", ABSENT, Trust.GOOD),
        case("b", ABSENT, Trust.DOUBTFUL),
        case("b", PRESENT, Trust.NONE),
    )
    report = VerdictReport({"name": "x"}, judged)
    assert f"| {ABSENT} | trusted | 26.0 | 50.0 (b) |" in str(report)
    assert f"| {PRESENT} | flagged | 100.0 | 100.0 (b) |" in str(report)
    assert f"| {ABSENT} | a | 100 | 98.0 | 0.0 | 2.0 | 0.0 to" in str(report)
    report.write(tmp_path)
    assert len(json.loads((tmp_path / "honesty.json").read_text("utf-8"))["judged"]) == len(judged)
