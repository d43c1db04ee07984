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
    return Report({"name": "demo"}, (drawn,), nuclei, None)


def test_every_class_has_a_row_with_its_means(report):
    text = str(report)
    for number, name in enumerate(CLASSES):
        assert f"| {name} | {(1.7 + 0.01 * number) / 2:.3f} | 0.700 | 1 |" in text
    row = next(line for line in text.splitlines() if line.startswith("| fluorescence |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:3] == ["0.950", "0.950"]
    low, high = (float(number) for number in cells[3].split(" to "))
    assert 0.9 <= low < 0.95 < high <= 1
    assert cells[4:] == ["0.900", "3", "median 0.97"]
    assert "Median 0.870" in text
    assert "blood smears" not in text


def test_figures_carry_an_interval_over_seeds(report):
    (one,) = report.by_seed
    lower = Scores.collect({name: [0.5] for name in CLASSES})
    other = DrawnResult(one.against_others, lower, one.votes)
    both = Report({"name": "demo"}, (one, other), None, None)
    spread = both.over_seeds()["against all pixels, median"]
    assert (spread.mean, spread.worst, spread.n_seeds) == (pytest.approx(0.6), 0.5, 2)
    # Student's t with one degree of freedom: 12.7062 times the standard error, which is 0.1.
    assert (spread.low, spread.high) == pytest.approx((0.6 - 1.27062, 0.6 + 1.27062), abs=1e-4)
    assert "| against all pixels, median | 0.600 | -0.671 to 1.871 | 0.500 | 2 |" in str(both)
    assert "sets of scenes" not in str(report)
    np.testing.assert_allclose(both.drawn.confusion, one.confusion)
    assert both.drawn.against_all.values[CLASSES[0]] == (0.7, 0.5)


def test_numbers_on_disk_are_those_that_were_measured(report, tmp_path):
    report.write(tmp_path)
    values = json.loads((tmp_path / "report.json").read_text())
    assert values["drawn"]["against_others"][CLASSES[1]] == [0.9, 0.81]
    assert values["drawn"]["confusion"] == np.eye(len(CLASSES)).tolist()
    assert values["nuclei"] == {"fluorescence": [0.9, 0.95, 1.0]}
    assert values["blood"] is None
    assert (tmp_path / "report.md").read_text() == f"{report}\n"
