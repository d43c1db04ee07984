"""Verdicts on examples: what places have in common, whether the thing is there, and their text."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from napari_clip_heatmap.pipeline.calibration import Calibration, ExampleLimits
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.examples.example_verdict import (
    ExampleVerdict,
    judge_places,
    likeness,
    object_presence,
)
from napari_clip_heatmap.pipeline.null_reference import make_null_reference
from napari_clip_heatmap.pipeline.scoring import build_scoring
from napari_clip_heatmap.pipeline.trust import Trust
from napari_clip_heatmap.pipeline.verdicts import judge_prompts


@pytest.fixture
def encoding(model):
    rng = np.random.default_rng(0)
    image = rng.integers(80, 160, (64, 64, 3)).astype(np.uint8)
    image[16:32, 16:32, 0] = 250
    return encode(model, image, downsample=1)


@pytest.fixture
def example(encoding):
    good = [(18, 18), (22, 26), (28, 20), (26, 30)]
    return encoding.example(good, [(50, 50), (6, 40)], name="mine")


LIMITS = Calibration(
    *("", "", ""),
    **dict.fromkeys(("top", "above_null", "offset", "flat_tiles", "flat_tokens"), 0.0),
    low=0.0,
    high=0.0,
    uniform_tiles=0.0,
    examples=ExampleLimits(far=-0.1, near=0.62),
)


def only(encoding, prompts, at=None, calibration=LIMITS):
    scoring = build_scoring(encoding.text, prompts, "absolute")
    reference = dataclasses.replace(make_null_reference(encoding), calibration=calibration)
    return {each.prompt: each for each in judge_prompts(encoding, scoring, reference, at=at)}


def test_the_verdicts_on_words_are_what_they_are_without_examples(encoding, example):
    alone, mixed = only(encoding, ["red", "wug"]), only(encoding, ["red", example, "wug"])
    assert mixed["red"] == alone["red"]
    assert mixed["wug"] == alone["wug"]
    assert list(mixed) == ["red", "mine", "wug"]


def test_an_example_is_judged_by_its_places(encoding, example):
    check = only(encoding, ["red", example])["mine"]
    assert isinstance(check, ExampleVerdict)
    assert check.dependence == example.dependence
    assert check.leave_one_out == example.leave_one_out == 1.0
    assert check.nearest == "random places"
    assert "AUROC 1.00" in check.figures
    assert "nonsense" not in check.figures
    assert check.describe()["leave_one_out"] == 1.0
    assert check.text is judge_places(example).trust
    assert check.presence is Trust.GOOD
    assert check.agreement == pytest.approx(1)


def test_distance_from_random_places_decides(example):
    for dependence, trust in ((0.3, Trust.NONE), (0.8, Trust.DOUBTFUL), (9.0, Trust.GOOD)):
        judged = judge_places(dataclasses.replace(example, dependence=dependence))
        assert judged.trust is trust
        assert judged.reason


def test_words_alone_are_no_places(example):
    silent = dataclasses.replace(example, dependence=9.0, words="red", weight=0.0)
    assert judge_places(silent).trust is Trust.DOUBTFUL


def test_likeness_falls_with_the_distance_from_the_places(example):
    step = np.zeros_like(example.token)
    step[0] = example.spread
    found = [likeness(example, (example.token + k * step)[np.newaxis]) for k in (0, 0.5, 1, 3)]
    assert found[0] == pytest.approx(1, abs=0.02)  # single precision cancels near 0
    assert found[1:] == pytest.approx([0.5, 0, -2], abs=1e-3)
    tokens = np.stack([example.token + k * step for k in (0.5, 2)])
    squares = (tokens**2).sum(axis=1)
    assert likeness(example, tokens, squares) == pytest.approx(likeness(example, tokens), abs=1e-4)
    assert likeness(example, np.zeros((0, len(step)), np.float32)) is None
    same_everywhere = dataclasses.replace(example, spread=0.0)
    assert likeness(same_everywhere, example.token[np.newaxis]) is None


def test_a_single_value_proves_no_object(example):
    at = dataclasses.replace(example, background=1.0, foreground=3.0)
    found = [object_presence(at, top) for top in (1.0, 1.5, 1.7, 2.9, 5.0)]
    assert found == [Trust.NONE, Trust.NONE, Trust.DOUBTFUL, Trust.DOUBTFUL, Trust.DOUBTFUL]
    assert object_presence(at, float("nan")) is Trust.UNKNOWN
    turned = dataclasses.replace(example, background=3.0, foreground=1.0)
    assert object_presence(turned, 2.0) is Trust.UNKNOWN


def test_one_place_alone_cannot_tell_that_a_thing_is_not_there(model, encoding, example):
    rng = np.random.default_rng(1)
    empty = encode(model, rng.integers(80, 160, (64, 64, 3)).astype(np.uint8), downsample=1)
    single = encoding.example([(22, 22)], [(50, 50)], name="single")
    check = only(empty, [single])["single"]
    assert check.presence is Trust.DOUBTFUL
    assert "mark more places" in check.advice


def test_what_answers_strongly_but_looks_otherwise_is_not_found(encoding, example):
    """Along the direction alone, whatever is far out passes for the thing."""
    far = example.token + 20 * example.spread * example.direction
    assert far @ example.direction > example.foreground
    assert likeness(example, far[np.newaxis]) < 0


def test_a_thing_that_is_not_there_is_not_found(model, example):
    rng = np.random.default_rng(1)
    empty = encode(model, rng.integers(80, 160, (64, 64, 3)).astype(np.uint8), downsample=1)
    check = only(empty, [example])["mine"]
    assert (check.presence, check.trust) == (Trust.NONE, Trust.NONE)
    assert "Not found in this image" in check.advice


def test_a_place_is_judged_by_its_patch(encoding, example):
    there = only(encoding, [example], at=(24.0, 24.0))["mine"]
    elsewhere = only(encoding, [example], at=(50.0, 50.0))["mine"]
    assert there.presence is Trust.GOOD
    assert elsewhere.presence is Trust.NONE
    assert "here" in elsewhere.advice


def test_in_its_own_image_the_thing_is_there_however_small_it_is(model, encoding, example):
    check = only(encoding, [example], calibration=None)["mine"]
    assert check.presence is Trust.GOOD
    assert "Its places are in this image" in check.reasons[1]
    again = encode(model, np.rot90(np.ones((64, 64, 3), np.uint8) * 40), downsample=1)
    assert only(again, [example])["mine"].presence is not Trust.GOOD


@pytest.mark.parametrize("calibration", [None, dataclasses.replace(LIMITS, examples=None)])
def test_without_limits_for_the_model_presence_is_unknown(model, example, calibration):
    rng = np.random.default_rng(1)
    other = encode(model, rng.integers(80, 160, (64, 64, 3)).astype(np.uint8), downsample=1)
    check = only(other, [example], calibration=calibration)["mine"]
    assert check.presence is Trust.UNKNOWN
    assert check.trust is not Trust.GOOD
    assert "calibrate" in check.advice


def test_a_flat_image_shows_nothing(model, example):
    flat = encode(model, np.full((64, 64, 3), 90, np.uint8), downsample=1)
    check = only(flat, ["red", example])["mine"]
    assert check.trust is Trust.NONE
    assert check.nothing_to_see
    assert "nearly constant" in check.advice
