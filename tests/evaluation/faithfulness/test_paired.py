"""Paired statistics say what they should of known differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from napari_clip_heatmap.evaluation.faithfulness.paired import (
    bootstrap_interval,
    bootstrap_rate,
    compare,
)


def test_a_method_against_itself() -> None:
    values = np.random.default_rng(0).normal(size=40)
    found = compare(values, values, 1)
    assert (found.difference, found.p_value, found.wins) == (0, 1, 0.5)
    assert found.difference_interval == (0, 0)


def test_a_constant_lead_is_found_under_any_noise_they_share() -> None:
    rng = np.random.default_rng(1)
    shared = rng.normal(scale=10, size=60)
    found = compare(shared, shared + 0.1 + rng.normal(scale=0.01, size=60), 1)
    assert found.difference == pytest.approx(0.1, abs=0.01)
    assert found.difference_interval[0] > 0.09
    assert found.p_value < 1e-6
    assert found.wins == 1


def test_swapping_turns_the_sign() -> None:
    rng = np.random.default_rng(2)
    one, other = rng.normal(size=(2, 30))
    forth, back = compare(one, other, 3), compare(other, one, 3)
    assert forth.difference == pytest.approx(-back.difference)
    assert forth.p_value == pytest.approx(back.p_value)
    assert forth.wins == pytest.approx(1 - back.wins)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for seed in range(100):
        low, high = bootstrap_interval(rng.normal(loc=2, size=80), seed)
        held += low <= 2 <= high
    assert binomtest(held, 100, 0.95).pvalue > 1e-3


def test_values_of_one_owner_say_no_more_than_one_value() -> None:
    values = (np.random.default_rng(4).random(50) < 0.3).astype(float)
    once = bootstrap_rate(values, np.arange(50), 5)
    assert once == pytest.approx(bootstrap_interval(values, 5))
    assert bootstrap_rate(np.repeat(values, 10), np.repeat(np.arange(50), 10), 5) == once
    apart = bootstrap_rate(np.repeat(values, 10), np.arange(500), 5)
    assert apart[1] - apart[0] < 0.5 * (once[1] - once[0])
