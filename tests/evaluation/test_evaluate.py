from __future__ import annotations

import json

import pytest

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.evaluation.evaluate import evaluate_model


def test_everything_is_measured_and_written(tiny_model, real_data, tmp_path):
    seen = []
    output = tmp_path / "out"
    report = evaluate_model(
        tiny_model,
        data=real_data,
        output=output,
        n_scenes=2,
        seed=3,
        n_seeds=2,
        progress=lambda done, total: seen.append((done, total)),
    )
    totals = {total for _, total in seen}
    assert len(totals) == 1
    assert [done for done, _ in seen] == list(range(1, totals.pop() + 1))
    assert len(report.by_seed) == 2
    written = json.loads((output / "report.json").read_text(encoding="utf-8"))
    assert written["nuclei"]
    assert written["blood"]
    assert written["objects"]
    assert (output / "report.md").read_text(encoding="utf-8").strip() == str(report).strip()


def test_a_folder_without_truth_is_refused(tiny_model, tmp_path):
    with pytest.raises(ImageError):
        evaluate_model(
            tiny_model,
            data=tmp_path,
            output=tmp_path / "out",
            n_scenes=1,
            seed=0,
            progress=lambda done, total: None,
        )
