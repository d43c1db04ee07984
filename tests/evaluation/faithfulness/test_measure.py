"""The whole measurement, on a small random model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_clip_heatmap.errors import DecompositionError, SettingsError
from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.evaluation.faithfulness import (
    METHODS,
    draw_stimuli,
    measure,
    measure_faithfulness,
)
from napari_clip_heatmap.evaluation.faithfulness.perturbation import perturb


@pytest.fixture(scope="module")
def stimuli(tiny_model):
    return draw_stimuli(tiny_model, 3, seed=11)


@pytest.fixture(scope="module")
def report(tiny_model, stimuli):
    return measure_faithfulness(tiny_model, stimuli, methods=["random", "legrad"], seed=2)


def test_figures_are_those_of_each_stimulus(tiny_model, stimuli, report) -> None:
    assert [name for name, _ in report.methods] == ["exact", "random", "legrad"]
    last = stimuli[2]
    batch = tiny_model.preprocess(last.pixels[None])
    direction = tiny_model.encode_text([last.prompt])
    values = METHODS["legrad"].explain(tiny_model, batch, direction)[0].double().numpy()
    (curves,) = perturb(tiny_model, last.pixels, direction[0], [values], "blur")
    assert report.insertion[2, 1, 2] == pytest.approx(curves.insertion_area, abs=1e-6)
    assert report.deletion[2, 1, 2] == pytest.approx(curves.deletion_area, abs=1e-6)
    fine = values.repeat(8, axis=0).repeat(8, axis=1)
    expected = auroc(fine[last.mask], fine[~last.mask])
    assert report.localization[2, 2] == pytest.approx(expected)


def test_exact_is_compared_with_itself_first(report) -> None:
    found = report.comparisons()
    assert found["exact"].difference == 0
    gain = report.gain
    assert found["random"].difference == pytest.approx((gain[0] - gain[1]).mean())


def test_the_report_goes_to_disk(report, tmp_path: Path) -> None:
    text, numbers = report.write(tmp_path / "new")
    values = json.loads(numbers.read_text())
    assert set(values["methods"]) == {"exact", "random", "legrad"}
    assert values["n_stimuli"] == 3
    assert "LeGrad" in text.read_text()
    assert len(values["additive"]) == 3


def test_progress_counts_both_passes(tiny_model, stimuli) -> None:
    steps = []
    measure_faithfulness(
        tiny_model,
        stimuli[:2],
        methods=["intensity"],
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_tower_whose_attention_cannot_be_read_leaves_methods_out(
    tiny_model, stimuli, monkeypatch
) -> None:
    def refuse(*_):
        raise DecompositionError("no")

    monkeypatch.setattr(measure, "run_with_attention", refuse)
    found = measure_faithfulness(tiny_model, stimuli[:2], methods=["legrad", "random", "naclip"])
    assert found.left_out == ("legrad", "naclip")
    assert [name for name, _ in found.methods] == ["exact", "random"]
    assert len(found.effects.tests) == 2
    assert "legrad" in str(found)


def test_unknown_methods_are_named(tiny_model, stimuli) -> None:
    with pytest.raises(SettingsError, match=r"'rollout'.*accepted: exact"):
        measure_faithfulness(tiny_model, stimuli, methods=["rollout"])


def test_one_stimulus_is_too_few(tiny_model, stimuli) -> None:
    with pytest.raises(SettingsError, match="100 stimuli"):
        measure_faithfulness(tiny_model, stimuli[:1])


def test_all_methods_run(tiny_model, stimuli) -> None:
    found = measure_faithfulness(tiny_model, stimuli[:2], methods=METHODS)
    assert len(found.methods) == len(METHODS)
    assert np.isfinite(found.gain).all()
