"""The evaluation measures what it says, on maps whose quality is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.evaluation import evaluate_model
from napari_clip_heatmap.evaluation.scores import Scores


def test_scores_leave_out_what_was_not_measured() -> None:
    scores = Scores.collect({"a": [0.5, 0.7, 0.9], "b": [], "c": [1.0]})
    assert list(scores.values) == ["a", "c"]
    assert scores.mean("a") == pytest.approx(0.7)
    assert scores.worst_mean() == pytest.approx(0.7)
    assert np.isnan(Scores.collect({}).median_of_means())


def test_the_report_goes_to_disk_with_pictures(tiny_model, real_data: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    output = tmp_path / "out"
    report = evaluate_model(
        tiny_model,
        data=real_data,
        output=output,
        n_scenes=2,
        seed=5,
        progress=lambda done, total: steps.append((done, total)),
    )
    # Two scenes, a nuclei image and a smear; then objects in each of the four.
    assert steps == [(done, 8) for done in range(1, 9)]
    values = json.loads((output / "report.json").read_text())
    assert list(values["nuclei"]) == ["stained"]
    assert list(values["blood"]) == ["red blood cells"]
    assert "red blood cells" in str(report)
    assert len(list(output.glob("example_*.png"))) == 9


def test_a_folder_without_truth_is_refused_before_any_work(tiny_model, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"boxes\.json"):
        evaluate_model(
            tiny_model,
            data=tmp_path,
            output=tmp_path / "out",
            n_scenes=1,
            seed=0,
            progress=lambda done, total: None,
        )
