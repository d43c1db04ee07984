"""Presence: the highest patches against those of nonsense, in the image and at a place."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.pipeline.calibration import Calibration
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.null_reference import make_null_reference
from napari_clip_heatmap.pipeline.presence import (
    ImageTokens,
    judge_presence,
    known_tokens,
    level_of,
    measure_tokens,
    top_mean,
)
from napari_clip_heatmap.pipeline.scoring import build_scoring
from napari_clip_heatmap.pipeline.trust import Trust
from napari_clip_heatmap.pipeline.verdicts import judge_prompts

LIMITS = Calibration("", "", "", 1.0, 0.0, 0.0, 5.0, 20.0, 0.0, 0.0, 0.0)


@pytest.fixture
def picture():
    """Black, with one red and one green square; blue is nowhere."""
    image = np.zeros((64, 96, 3), np.uint8)
    image[8:24, 8:24, 0] = 255
    image[32:56, 60:84, 1] = 255
    return image


@pytest.fixture
def encoding(model, picture):
    return encode(model, picture, downsample=1)


def reference_of(encoding, calibration=LIMITS):
    return dataclasses.replace(make_null_reference(encoding), calibration=calibration)


def judge(encoding, prompts, at=None, calibration=LIMITS):
    scoring = build_scoring(encoding.text, prompts, "absolute")
    return judge_prompts(encoding, scoring, reference_of(encoding, calibration), at)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=400))
def test_the_top_mean_is_that_of_the_highest_hundredth(values):
    count = max(1, round(len(values) / 100))
    found = top_mean(np.array(values))
    assert found == pytest.approx(np.sort(values)[-count:].mean(), abs=1e-9)


def test_presence_follows_the_highest_patches_of_the_map(encoding):
    maps = encoding.heatmaps(["red", "green", "blue"], "absolute").lattice_values
    n_patches = 64
    tokens = reference_of(encoding).tokens
    found = tokens.strengths(np.eye(4)[:3], LIMITS)
    np.testing.assert_allclose(found, top_mean(maps.reshape(3, -1) * n_patches), rtol=1e-5)


def test_what_is_there_is_found_and_what_is_not_is_not(encoding):
    red, green, blue = judge(encoding, ["red", "green", "blue"])
    assert (red.presence, green.presence, blue.presence) == (Trust.GOOD, Trust.GOOD, Trust.NONE)
    assert "Not found in this image" in blue.advice
    assert blue.trust is Trust.NONE


def test_a_place_has_its_own_answer(encoding):
    at_red = judge(encoding, ["red", "green"], at=(16, 16))
    at_green = judge(encoding, ["red", "green"], at=(44, 72))
    assert [each.presence for each in at_red] == [Trust.GOOD, Trust.NONE]
    assert [each.presence for each in at_green] == [Trust.NONE, Trust.GOOD]
    assert "Not found here" in at_red[1].advice


def test_without_a_calibration_it_is_unknown_and_nothing_is_more_than_doubtful(encoding):
    for verdict in judge(encoding, ["red", "blue"], calibration=None):
        assert verdict.presence is Trust.UNKNOWN
        assert verdict.trust in (Trust.DOUBTFUL, Trust.NONE)
        assert verdict.strength is None
        assert "calibrate" in verdict.advice


def test_only_the_region_counts(model, picture):
    right = encode(model, picture, downsample=1, region=Region(box=(0, 48, 64, 96)))
    red, green = judge(right, ["red", "green"])
    assert (red.presence, green.presence) == (Trust.NONE, Trust.GOOD)


def test_nan_pixels_answer_nothing(model, picture):
    holes = picture.astype(np.float32) / 255
    holes[:, :48] = np.nan
    red, green = judge(encode(model, holes, downsample=1), ["red", "green"])
    assert (red.presence, green.presence) == (Trust.NONE, Trust.GOOD)
    (nowhere,) = judge(encode(model, holes, downsample=1), ["red"], at=(16, 16))
    assert nowhere.presence is Trust.UNKNOWN


def test_several_things_are_as_much_there_as_the_least(encoding):
    both, half = judge(encoding, ["red and green", "red and blue"])
    assert both.presence is not Trust.NONE
    assert half.presence is Trust.NONE


def test_the_best_end_of_a_name_counts(encoding):
    (found,) = judge(encoding, ["some very red"])
    assert found.presence is not Trust.NONE


def test_an_image_that_is_the_same_everywhere_is_doubtful_at_most(encoding):
    uniform = dataclasses.replace(LIMITS, uniform_tiles=99.0)
    red, blue = judge(encoding, ["red", "blue"], calibration=uniform)
    assert (red.presence, blue.presence) == (Trust.DOUBTFUL, Trust.NONE)
    flat = dataclasses.replace(LIMITS, flat_tokens=1e9)
    assert judge(encoding, ["red"], calibration=flat)[0].presence is Trust.NONE


def test_where_nothing_is_known_presence_is_unknown(encoding):
    nothing = ImageTokens(np.zeros((0, 4), np.float32), np.nan, 0.0, np.nan)
    reference = dataclasses.replace(reference_of(encoding), tokens=nothing)
    ((found, strength),) = judge_presence(reference, [("red",)], np.eye(4)[:1])
    assert (found.trust, strength) == (Trust.UNKNOWN, None)


def test_a_large_lattice_is_sampled(model):
    image = np.random.default_rng(0).integers(0, 256, (1100, 1100, 3), np.uint8)
    encoding = encode(model, image, downsample=1, overlap=0)
    assert encoding.lattice.grid > (256, 256)
    tokens = measure_tokens(encoding, np.eye(4)).tokens
    assert len(tokens) <= 256 * 256
    whole = known_tokens(encoding, encoding.bounds) * 64
    expected = top_mean(whole.T)
    np.testing.assert_allclose(top_mean(tokens.T), expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize(
    ("strength", "level"),
    [(4.9, Trust.NONE), (5, Trust.DOUBTFUL), (20, Trust.GOOD), (np.nan, Trust.UNKNOWN)],
)
def test_limits_are_inclusive(strength, level):
    assert level_of(LIMITS, strength) is level
