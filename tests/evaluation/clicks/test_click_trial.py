"""Simulated clicks: where they fall, and that they find what differs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

import napari_clip_heatmap as nch
from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.evaluation.clicks.click_trial import COUNTS, ClickTrial
from napari_clip_heatmap.evaluation.clicks.other_recipes import RECIPES
from napari_clip_heatmap.scenes import CLASSES, draw


@pytest.fixture(scope="module")
def scene():
    model = nch.load_model("demo", device="cpu")
    for seed in range(100):
        drawn = draw(seed, (128, 128))
        if drawn.masks.get("nuclei", np.zeros(1)).mean() > 0.05:
            return nch.encode(model, drawn.image), drawn.masks["nuclei"]
    raise AssertionError


@pytest.fixture
def trial(scene):
    return ClickTrial(scene[0], "nuclei", scene[1], seed=3)


def test_positive_clicks_lie_inside_and_are_repeatable(trial, scene):
    points = trial._points
    assert len(points) == max(COUNTS)
    assert scene[1][tuple(points.T)].all()
    assert np.array_equal(points, ClickTrial(scene[0], "nuclei", scene[1], seed=3)._points)
    assert not np.array_equal(points, ClickTrial(scene[0], "nuclei", scene[1], seed=4)._points)


def test_negative_clicks_are_the_worst_mistakes_apart_from_one_another(trial, scene):
    heat = trial.words_map()
    far = distance_transform_edt(~scene[1]) > trial.patch / 2
    first = trial._worst(heat, [])[0]
    assert heat[first] == heat[far].max()
    mistakes = [first]
    for _ in range(3):
        mistakes += trial._worst(heat, mistakes)
    assert far[tuple(np.transpose(mistakes))].all()
    values = [heat[each] for each in mistakes]
    assert values == sorted(values, reverse=True)
    gaps = np.abs(np.diff(np.array(mistakes), axis=0)).max(axis=1)
    assert gaps.min() > trial.patch - 1


def test_without_a_place_left_nothing_is_clicked(trial):
    nothing = np.full(trial.mask.shape, np.nan, np.float32)
    assert trial._worst(nothing, []) == []


def test_the_map_of_a_direction_is_that_of_the_library(trial):
    maps = trial.encoding.heatmaps(["filaments"], "absolute")
    found = trial.map_of(maps.scoring.directions[0].astype(np.float64))
    assert found == pytest.approx(maps.values[0], abs=1e-6)


def test_the_recipe_that_is_used_is_that_of_encodings(trial):
    for mixed in (False, True):
        rounds = dict(trial.rounds(RECIPES["used"], trial.words_map(), words=mixed))
        first = trial._worst(trial.words_map(), [])
        contrast = " - ".join(("nuclei", *(each for each in CLASSES if each != "nuclei")))
        words = {"words": contrast} if mixed else {}
        example = trial.encoding.example(trial._points[:1], first, name="mine", **words)
        assert rounds[1] == pytest.approx(example.direction, abs=1e-5)


def test_the_words_that_are_mixed_in_are_those_that_are_compared_with(trial):
    directions = trial.directions(RECIPES["used"], words=True)
    found, expected = trial.map_of(directions.words), trial.words_map()
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_gives_unit_directions(trial, recipe):
    for _, direction in trial.rounds(RECIPES[recipe], trial.words_map()):
        assert np.linalg.norm(direction) == pytest.approx(1)
    if recipe != "mean of the places":  # mostly what all of the image has in common
        assert trial.score(trial.map_of(direction)) > 0.6


def test_the_score_is_an_auroc(trial):
    heat = trial.words_map()
    assert trial.score(heat) == pytest.approx(auroc(heat[trial.mask], heat[~trial.mask]))
    assert trial.score(trial.mask.astype(np.float32)) == 1
