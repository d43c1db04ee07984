from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import label

from napari_clip_heatmap.annotation.segmentation import (
    check_segmentation,
    segment,
    winning_prompt,
    without_small,
)
from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.imaging.lattice import plan_lattice
from napari_clip_heatmap.imaging.resample import to_image_pixels

LATTICE = plan_lattice((61, 83), (61, 83), patch=(8, 8), tile=(32, 32), overlap=0.5)

maps = hnp.arrays(
    np.float32, LATTICE.grid, elements=st.integers(-4, 4).map(np.float32) | st.just(np.nan)
)


def cut(lattice_values, limit, **settings):
    values = to_image_pixels(lattice_values[np.newaxis], LATTICE)[0]
    return values, segment(values, lattice_values, LATTICE, limit, **settings)


def is_numbered_by_first_pixels(labels):
    numbers, first = np.unique(labels, return_index=True)
    there = numbers > 0
    return (
        numbers[there].tolist() == list(range(1, there.sum() + 1))
        and (np.diff(first[there]) > 0).all()
    )


@given(lattice_values=maps, limit=st.floats(-5, 5))
def test_objects_are_the_connected_pixels_above_the_threshold(lattice_values, limit):
    values, labels = cut(lattice_values, limit)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels > 0, values > limit)
    np.testing.assert_array_equal(labels, label(values > limit, connectivity=1))
    assert is_numbered_by_first_pixels(labels)


@given(lattice_values=maps, limit=st.floats(-4, 3))
def test_a_split_only_cuts(lattice_values, limit):
    _, whole = cut(lattice_values, limit)
    _, split = cut(lattice_values, limit, split="watershed")
    np.testing.assert_array_equal(split > 0, whole > 0)
    assert is_numbered_by_first_pixels(split)
    for number in range(1, int(split.max()) + 1):
        assert len(np.unique(whole[split == number])) == 1, "a piece of one object"
        assert label(split == number, connectivity=1).max() == 1, "and in one piece"


@given(lattice_values=maps, limit=st.floats(-4, 3), min_area=st.integers(0, 900))
def test_small_objects_are_left_out_and_others_stay(lattice_values, limit, min_area):
    _, labels = cut(lattice_values, limit)
    _, large = cut(lattice_values, limit, min_area=min_area)
    areas = np.bincount(labels.ravel())
    np.testing.assert_array_equal(large > 0, (labels > 0) & (areas[labels] >= min_area))
    assert is_numbered_by_first_pixels(large)


def test_no_threshold_is_no_object():
    _, labels = cut(np.zeros(LATTICE.grid, np.float32), math.nan, split="watershed")
    assert not labels.any()


def two_blobs():
    lattice_values = np.zeros(LATTICE.grid, np.float32)
    lattice_values[3:6, 1:9] = 1
    lattice_values[4, [2, 7]] = 3
    return lattice_values


def test_touching_blobs_are_split_in_the_valley_between_them():
    _, whole = cut(two_blobs(), 0.5)
    _, split = cut(two_blobs(), 0.5, split="watershed")
    assert whole.max() == 1
    assert split.max() == 2
    x = np.nonzero(split == 1)[1], np.nonzero(split == 2)[1]
    middle = LATTICE.x.cell_centers(slice(0, 10))[[2, 7]].mean()
    assert x[0].max() == pytest.approx(middle, abs=20)
    assert x[1].min() == pytest.approx(middle, abs=20)


def test_what_is_enclosed_can_be_filled():
    lattice_values = np.zeros(LATTICE.grid, np.float32)
    lattice_values[1:6, 1:7] = 1
    lattice_values[3, 3:5] = 0
    _, ring = cut(lattice_values, 0.5)
    _, disk = cut(lattice_values, 0.5, fill_holes=True)
    assert label(ring == 0, connectivity=2).max() == 2
    assert label(disk == 0, connectivity=2).max() == 1
    assert (disk >= ring).all()


def test_numbers_are_closed_up():
    labels = np.array([[1, 1, 2, 3, 3]], np.int32)
    assert without_small(labels, 2).tolist() == [[1, 1, 0, 2, 2]]
    assert without_small(labels, 0).tolist() == labels.tolist()


@given(
    values=hnp.arrays(
        np.float32, (3, 4, 5), elements=st.integers(-3, 3).map(np.float32) | st.just(np.nan)
    ),
    margin=st.sampled_from([0.0, 0.25, 1.5]),
)
def test_the_winner_is_above_each_other_by_more_than_the_margin(values, margin):
    winner = winning_prompt(values, margin)
    assert winner.dtype == np.int32
    for y, x in np.ndindex(values.shape[1:]):
        beats = [
            k + 1
            for k in range(3)
            if np.isfinite(values[:, y, x]).all()
            and all(
                values[k, y, x] - values[other, y, x]
                > margin * (np.nanmax(values[k]) - np.nanmin(values[k]))
                for other in range(3)
                if other != k
            )
        ]
        assert winner[y, x] == (beats[0] if beats else 0)


@pytest.mark.parametrize(
    "settings",
    [(-1, "none"), (math.nan, "none"), (True, "none"), ("8", "none"), (0, "Watershed"), (0, None)],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(SettingsError, match="accepted"):
        check_segmentation(*settings)
