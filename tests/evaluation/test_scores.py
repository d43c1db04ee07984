"""Figures over seeds: the interval holds the truth as often as it says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from napari_clip_heatmap.evaluation.scores import Scores, SeedSpread


def test_the_interval_is_students() -> None:
    values = [0.91, 0.94, 0.88, 0.93]
    found = SeedSpread.of(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.mean, found.worst, found.n_seeds) == (pytest.approx(0.915), 0.88, 4)


def test_it_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    spreads = [SeedSpread.of(rng.normal(0.9, 0.02, 5)) for _ in range(400)]
    held = np.mean([each.low <= 0.9 <= each.high for each in spreads])
    assert 0.92 <= held <= 0.98


def test_a_seed_without_any_is_left_out_and_one_seed_has_no_interval() -> None:
    found = SeedSpread.of([0.5, float("nan")])
    assert (found.mean, found.worst, found.n_seeds) == (0.5, 0.5, 1)
    assert np.isnan([found.low, found.high]).all()
    assert SeedSpread.of([]).n_seeds == 0


def test_joined_scores_are_those_of_one_set() -> None:
    one, other = Scores({"a": (0.5,), "b": (1.0,)}), Scores({"a": (0.7, 0.9)})
    joined = Scores.joined([one, other])
    assert joined.values == {"a": (0.5, 0.7, 0.9), "b": (1.0,)}
    assert joined.mean("a") == pytest.approx(0.7)
    assert joined.worst_mean() == pytest.approx(0.7)
