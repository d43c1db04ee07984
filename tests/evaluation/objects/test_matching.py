from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.draw import disk
from skimage.measure import label

from napari_clip_heatmap.evaluation.objects.matching import (
    MatchCounts,
    compare_objects,
    oracle_objects,
)
from napari_clip_heatmap.imaging.lattice import plan_lattice

label_images = hnp.arrays(np.int32, (6, 7), elements=st.integers(0, 3))


@given(found=label_images, true=label_images)
def test_an_object_matches_above_half_of_the_union(found, true):
    matched = 0
    for one in set(true.ravel().tolist()) - {0}:
        for other in set(found.ravel().tolist()) - {0}:
            shared = ((true == one) & (found == other)).sum()
            matched += shared > 0.5 * ((true == one) | (found == other)).sum()
    agreement = compare_objects(found, true)
    assert agreement.matched == matched <= min(agreement.found, agreement.true)
    assert agreement.found == len(set(found.ravel().tolist()) - {0})
    assert agreement.true == len(set(true.ravel().tolist()) - {0})


@given(true=label_images.filter(np.any), seed=st.integers(0, 99))
def test_numbers_do_not_matter_and_the_truth_agrees_with_itself(true, seed):
    numbers = np.random.default_rng(seed).permutation(np.arange(1, 1000))[:4] * 7
    numbers[0] = 0
    agreement = compare_objects(numbers[true], true)
    assert agreement.f1 == 1
    assert agreement.count_error == 0


def test_counts_are_off_image_by_image():
    total = MatchCounts.total([MatchCounts(1, 5, 2, 3), MatchCounts(2, 2, 4, 2)])
    assert total == MatchCounts(3, 7, 6, 5)
    assert total.f1 == pytest.approx(6 / 13)
    assert total.count_error == pytest.approx(5 / 6)


def test_nothing_to_find_is_no_number():
    assert math.isnan(MatchCounts(0, 3, 0, 3).f1)
    assert math.isnan(MatchCounts(0, 3, 0, 3).count_error)


def drawn(radius, spacing, side=192):
    mask = np.zeros((side, side), bool)
    for y in range(spacing, side - spacing // 2, spacing):
        for x in range(spacing, side - spacing // 2, spacing):
            mask[disk((y, x), radius)] = True
    return label(mask, connectivity=1)


def test_the_oracle_is_limited_by_the_patch_alone():
    lattice = plan_lattice((192, 192), (192, 192), patch=(8, 8), tile=(96, 96), overlap=0.5)
    f1 = {
        radius: compare_objects(oracle_objects(true, lattice), true).f1
        for radius, true in ((16, drawn(16, 48)), (8, drawn(8, 32)), (3, drawn(3, 9)))
    }
    assert f1[16] == 1
    assert f1[8] > 0.8
    assert f1[3] < 0.6


def test_the_oracle_may_split():
    lattice = plan_lattice((96, 96), (96, 96), patch=(8, 8), tile=(96, 96), overlap=0.5)
    true = np.zeros((96, 96), int)
    true[disk((48, 28), 20)] = 1
    true[disk((48, 66), 20)] = 2
    assert compare_objects(oracle_objects(true, lattice), true).f1 == 1
