"""The report of an evaluation, as text and as numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_clip_heatmap.evaluation.drawn import DrawnResult
from napari_clip_heatmap.evaluation.report import Report
from napari_clip_heatmap.evaluation.scores import Scores
from napari_clip_heatmap.scenes import CLASSES


@pytest.fixture
def report():
    others = Scores.collect({name: [0.9, 0.8 + 0.01 * n] for n, name in enumerate(CLASSES)})
    everything = Scores.collect({name: [0.7] for name in CLASSES})
    drawn = DrawnResult(others, everything, np.eye(len(CLASSES)))
    nuclei = Scores.collect({"fluorescence": [0.9, 0.95, 1.0]})
    return Report({"name": "demo"}, drawn, nuclei, None)


def test_every_class_has_a_row_with_its_means(report):
    text = str(report)
    for number, name in enumerate(CLASSES):
        assert f"| {name} | {(1.7 + 0.01 * number) / 2:.3f} | 0.700 | 1 |" in text
    assert "| fluorescence | 0.950 | 0.950 | 0.900 | 3 | median 0.97 |" in text
    assert "Median 0.870" in text
    assert "blood smears" not in text


def test_numbers_on_disk_are_those_that_were_measured(report, tmp_path):
    report.write(tmp_path)
    values = json.loads((tmp_path / "report.json").read_text())
    assert values["drawn"]["against_others"][CLASSES[1]] == [0.9, 0.81]
    assert values["drawn"]["confusion"] == np.eye(len(CLASSES)).tolist()
    assert values["nuclei"] == {"fluorescence": [0.9, 0.95, 1.0]}
    assert values["blood"] is None
    assert (tmp_path / "report.md").read_text() == f"{report}\n"
