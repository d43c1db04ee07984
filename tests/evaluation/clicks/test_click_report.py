"""The report: what it measures on drawn scenes, and its tables."""

from __future__ import annotations

import json

import numpy as np
import pytest

import napari_clip_heatmap as nch
from napari_clip_heatmap.evaluation.clicks import ClickReport, measure_examples


def report(**kinds):
    return ClickReport({"name": "demo"}, kinds)


def measures(words, clicks, mixed=(0.9,)):
    return {"words": [*words], "used 3": [*clicks], "mixed 3": [*mixed]}


def test_kinds_where_clicks_are_no_better_are_named():
    made = report(
        good=measures([0.7, 0.8], [0.9, 0.8]),
        bad=measures([0.9, 0.9], [0.89, 0.9]),
        fine=measures([0.99], [0.96]),
    )
    assert made.not_better() == made.not_better("mixed") == ["bad"]
    assert "1 of 2 kinds" in str(made)
    assert "Not better: bad." in str(made)
    assert made.mean("good", "words") == pytest.approx(0.75)
    assert np.isnan(made.mean("good", "elsewhere"))


def test_the_table_has_means_and_worst_images():
    text = str(report(good=measures([0.7, 0.8], [0.9, 0.8])))
    assert "| good | 2 | 0.750 (0.70) |" in text
    assert "0.850 (0.80)" in text


def test_drawn_scenes_are_measured_and_written(tmp_path):
    done = []
    made = measure_examples(
        nch.load_model("demo", device="cpu"),
        data=None,
        n_scenes=2,
        seed=47,
        progress=lambda *step: done.append(step),
    )
    assert done == [(1, 2), (2, 2)]
    assert all(kind.startswith("drawn: ") for kind in made.values)
    for each in made.values.values():
        lengths = {len(found) for measure, found in each.items() if measure != "elsewhere"}
        assert len(lengths) == 1
        assert all(0 <= value <= 1 for found in each.values() for value in found)
        assert {"words", "used 1", "used 3", "used 5", "mixed 3", "ridge probe, 3 3"} <= set(each)
    _, figures = made.write(tmp_path)
    assert json.loads(figures.read_text())["values"] == made.values
    assert (tmp_path / "examples.md").read_text() == f"{made}\n"
