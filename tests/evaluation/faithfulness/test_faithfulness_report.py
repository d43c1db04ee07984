"""The tables of faithfulness, from figures made up."""

from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap.evaluation.faithfulness.additive import AdditiveTest, Effects
from napari_clip_heatmap.evaluation.faithfulness.faithfulness_report import FaithfulnessReport


@pytest.fixture
def report() -> FaithfulnessReport:
    rng = np.random.default_rng(0)
    noise = rng.normal(scale=0.01, size=(1, 2, 40))  # shared by both
    insertion = np.array([0.5, 0.2])[:, None, None] + noise
    deletion = np.full((2, 2, 40), 0.1)
    localization = np.vstack([np.full(40, 0.9), np.r_[np.full(39, 0.5), np.nan]])
    predicted = rng.normal(size=50)
    return FaithfulnessReport(
        model={"name": "made up"},
        methods=(("exact", "exact map"), ("other", "other map")),
        left_out=("naclip",),
        insertion=insertion,
        deletion=deletion,
        localization=localization,
        kinds=("drawn",) * 30 + ("real",) * 10,
        effects=Effects((AdditiveTest("cut", predicted, predicted / 2),), np.full(40, 0.4)),
        seed=1,
    )


def test_the_best_comes_first_with_its_lead(report) -> None:
    text = str(report)
    assert text.index("exact map") < text.index("other map")
    assert "+0.300" in text
    assert "naclip" in text
    assert "30 drawn, 10 real" in text
    assert "40% (40% to 40%)" in text


def test_unknown_localization_does_not_count(report) -> None:
    methods = report.record()["methods"]
    assert methods["other"]["localization_auroc"] == pytest.approx(0.5)


def test_additive_figures(report) -> None:
    assert report.record()["additive"]["cut"] == {
        "r": pytest.approx(1),
        "slope": pytest.approx(0.5),
        "n": 50,
    }
