"""Published measures, against their definitions written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.evaluation.benchmarks.segmentation_metrics import (
    IGNORED,
    Confusion,
    average_precision,
)


@given(st.integers(0, 2**31))
def test_confusion_counts_known_pixels(seed) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.choice([0, 1, 2, IGNORED], (7, 9)).astype(np.uint8)
    predicted = rng.integers(0, 3, (7, 9))
    confusion = Confusion(3)
    confusion.add(truth[:3], predicted[:3])
    confusion.add(truth[3:], predicted[3:])
    known = truth != IGNORED
    assert confusion.counts.sum() == known.sum()
    if known.any():
        expected = (truth == predicted)[known].mean()
        assert confusion.pixel_accuracy == pytest.approx(expected)
    for number in range(3):
        one, other = (truth == number) & known, (predicted == number) & known
        union = (one | other).sum()
        found = confusion.intersection_over_union[number]
        if union:
            assert found == pytest.approx((one & other).sum() / union)
        else:
            assert np.isnan(found)


def test_a_class_that_never_comes_up_does_not_count() -> None:
    confusion = Confusion(5)
    confusion.add(np.array([[0, 1]]), np.array([[0, 1]]))
    assert confusion.mean_intersection_over_union == 1


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.25, 0.5, 0.75])), min_size=1))
def test_average_precision_over_distinct_thresholds(items) -> None:
    truth, scores = np.array([t for t, _ in items]), np.array([s for _, s in items])
    expected, before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        taken = scores >= threshold
        if truth.any():
            recall = (truth & taken).sum() / truth.sum()
            expected += (recall - before) * truth[taken].mean()
            before = recall
    assert average_precision(truth, scores) == pytest.approx(expected, abs=1e-12)


def test_average_precision_of_a_perfect_and_of_a_flat_map() -> None:
    truth = np.array([False, True, True, False])
    assert average_precision(truth, truth.astype(float)) == 1
    assert average_precision(truth, np.zeros(4)) == 0.5
