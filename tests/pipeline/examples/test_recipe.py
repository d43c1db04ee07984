"""The recipe against an independent linear discriminant, and what must hold of any direction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from napari_clip_heatmap.pipeline.examples.recipe import (
    RECIPE,
    Recipe,
    TokenStatistics,
    mix_directions,
)

seeds = st.integers(0, 2**16)
fractions = st.floats(0.05, 1)


def tokens_of(seed, count=40, size=6):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, size)) @ rng.normal(size=(size, size)) + rng.normal(size=size)


def cosine(one, other):
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


@given(seed=seeds)
def test_statistics_are_those_of_numpy(seed):
    tokens = tokens_of(seed).astype(np.float32)
    found = TokenStatistics.of(tokens)
    assert found.mean == pytest.approx(tokens.mean(axis=0, dtype=float), abs=1e-6)
    assert found.covariance == pytest.approx(np.cov(tokens.T, bias=True), abs=1e-5)
    direction = np.random.default_rng(seed).normal(size=6)
    assert found.deviation(direction) == pytest.approx((tokens @ direction).std(), rel=1e-4)


@given(seed=seeds, shrink=fractions, negative=st.floats(0, 1), power=st.sampled_from([0.5, 1.0]))
def test_the_direction_solves_the_shrunk_discriminant(seed, shrink, negative, power):
    image = TokenStatistics.of(tokens_of(seed))
    good, bad = tokens_of(seed + 1, 2)
    found = Recipe(shrink, negative, power).direction(good, bad, image)
    round_one = np.trace(image.covariance) / 6 * np.eye(6)
    matrix = (1 - shrink) * image.covariance + shrink * round_one
    matrix = matrix if power == 1 else np.real(sqrtm(matrix))
    expected = np.linalg.solve(matrix, good - (1 - negative) * image.mean - negative * bad)
    assert np.linalg.norm(found) == pytest.approx(1)
    assert cosine(found, expected) == pytest.approx(1, abs=1e-9)


@given(seed=seeds)
def test_without_negatives_the_image_is_the_reference(seed):
    image = TokenStatistics.of(tokens_of(seed))
    good = tokens_of(seed + 1, 1)[0]
    assert RECIPE.direction(good, None, image) == pytest.approx(
        RECIPE.direction(good, image.mean, image)
    )


@given(seed=seeds, offset=st.floats(-5, 5), factor=st.floats(0.1, 10))
def test_scale_and_offset_of_all_tokens_change_nothing(seed, offset, factor):
    tokens, places = tokens_of(seed), tokens_of(seed + 1, 2)
    one = RECIPE.direction(*places, TokenStatistics.of(tokens))
    moved = TokenStatistics.of(tokens * factor + offset)
    other = RECIPE.direction(*(places * factor + offset), moved)
    assert one == pytest.approx(other, abs=1e-6)


def test_places_that_are_the_image_have_no_direction():
    image = TokenStatistics.of(tokens_of(1))
    assert not RECIPE.direction(image.mean, None, image).any()
    flat = TokenStatistics.of(np.ones((9, 6)))
    assert not RECIPE.direction(np.arange(6.0), None, flat).any()


@given(seed=seeds, weight=st.floats(0, 1))
def test_a_mix_lies_between_its_parts_in_units_of_their_maps(seed, weight):
    tokens = tokens_of(seed)
    image = TokenStatistics.of(tokens)
    places, words = tokens_of(seed + 2, 2)
    mixed = mix_directions(places, words, weight, image)
    scaled = weight * (tokens @ places) / (tokens @ places).std()
    scaled += (1 - weight) * (tokens @ words) / (tokens @ words).std()
    correlation = np.corrcoef(tokens @ mixed, scaled)[0, 1]
    assert correlation == pytest.approx(1, abs=1e-6)
    assert mix_directions(places, words, 1.0, image) == pytest.approx(
        places / np.linalg.norm(places)
    )
    assert mix_directions(places, words, 0.0, image) == pytest.approx(words / np.linalg.norm(words))
