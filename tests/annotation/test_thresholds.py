from __future__ import annotations

import math

import numpy as np
import pytest
from skimage import filters

from napari_clip_heatmap.annotation.thresholds import THRESHOLD_METHODS, learn_threshold
from napari_clip_heatmap.errors import SettingsError


@pytest.fixture
def lattice_values():
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (12, 15)).astype(np.float32)
    values[3:6, 4:9] += 8
    return values


@pytest.mark.parametrize("name", THRESHOLD_METHODS)
def test_a_method_is_the_one_of_scikit_image(lattice_values, name):
    expected = getattr(filters, f"threshold_{name}")(lattice_values)
    assert learn_threshold(lattice_values, name) == pytest.approx(float(expected))


def test_patches_that_are_not_known_have_no_say(lattice_values):
    wider = np.pad(lattice_values, 3, constant_values=np.nan)
    for method in (*THRESHOLD_METHODS, "quantile:0.25"):
        assert learn_threshold(wider, method) == pytest.approx(
            learn_threshold(lattice_values, method)
        )


@pytest.mark.parametrize("share", [0, 0.25, 0.9, 1])
def test_a_quantile_leaves_that_share_below(lattice_values, share):
    limit = learn_threshold(lattice_values, f"quantile:{share}")
    assert limit == pytest.approx(np.quantile(lattice_values, share), abs=1e-6)


@pytest.mark.parametrize("number", [0, -1.5, np.float32(0.25), np.int64(3)])
def test_a_number_is_taken_as_it_is(lattice_values, number):
    assert learn_threshold(lattice_values, number) == float(number)


@pytest.mark.parametrize("flat", [np.zeros((3, 4), np.float32), np.full((3, 4), np.nan, "f4")])
def test_a_map_that_is_the_same_everywhere_has_no_threshold(flat):
    assert math.isnan(learn_threshold(flat, "otsu"))


@pytest.mark.parametrize(
    "wrong",
    ["", "Otsu!", "quantile:", "quantile:1.5", "quantile:nan", math.nan, math.inf, None, True, [1]],
)
def test_anything_else_is_refused_in_words(lattice_values, wrong):
    with pytest.raises(SettingsError, match=r"accepted: a finite number.*'otsu'"):
        learn_threshold(lattice_values, wrong)
