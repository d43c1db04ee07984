"""Sparse words, against SciPy's own solver of the same problem."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.pipeline.explanation.word_list import descend, sparse_words, words_of


def unit(random: np.random.Generator, *shape: int) -> np.ndarray:
    vectors = random.normal(size=shape)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), penalty=st.floats(0.0, 0.5))
def test_coordinate_descent_finds_the_least_penalized_error(seed: int, penalty: float) -> None:
    random = np.random.default_rng(seed)
    words, vector = unit(random, 7, 10), unit(random, 10)
    weights = descend(words @ words.T, words @ vector, penalty, np.zeros(7))

    def cost(given: np.ndarray) -> float:
        return float(np.square(vector - given @ words).sum() / 2 + penalty * given.sum())

    other = minimize(
        cost, np.full(7, 0.1), bounds=[(0, None)] * 7, method="L-BFGS-B", options={"ftol": 1e-14}
    )
    assert (weights >= 0).all()
    assert cost(weights) <= other.fun + 1e-7


def test_words_that_made_a_vector_are_found_again() -> None:
    random = np.random.default_rng(1)
    words = unit(random, 60, 48)
    weights = np.zeros(60)
    weights[[3, 17, 40]] = 0.9, 0.5, 0.4
    found = sparse_words(weights @ words, words, 3)
    np.testing.assert_allclose(found, weights, atol=1e-6)
    few = sparse_words(weights @ words, words, 1)
    assert np.flatnonzero(few).tolist() == [3]


def test_words_that_point_away_have_no_weight() -> None:
    words = unit(np.random.default_rng(2), 1, 12)
    assert not sparse_words(-words[0], words, 5).any()


def test_words_of_a_place_and_of_an_image(tiny_model: Any) -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    encoding = nch.encode(tiny_model, image)
    listed = [f"word {number}" for number in range(25)]
    here = words_of(encoding, listed, at=(20, 31), count=4)
    assert 1 <= len(here.words) <= 4
    assert list(here.weights) == sorted(here.weights, reverse=True)
    assert min(here.weights) > 0
    # The vector is the map's own: a word's product with it is the map's value minus the mean.
    maps = encoding.heatmaps(listed, "absolute")
    vector = maps.values[:, 20, 31] - maps.lattice_values.mean(axis=(1, 2))
    text = tiny_model.encode_text(listed).double().numpy()
    chosen = [listed.index(word) for word in here.words]
    summed = np.array(here.weights) @ text[chosen]
    along = (np.array(here.weights) @ vector[chosen]) / np.linalg.norm(summed)
    tokens = encoding.token_map.reshape(-1, 24)
    assert 0 < here.cosine <= 1 + 1e-9
    assert along > 0
    assert along <= np.linalg.norm(tokens - tokens.mean(axis=0), axis=1).max() * 1.001
    whole = words_of(encoding, listed, count=4)
    embedding = encoding.embedding / np.linalg.norm(encoding.embedding)
    assert bool(whole.words) == bool((text @ embedding).max() > 0)
    if whole.words:
        fitted = np.array(whole.weights) @ text[[listed.index(word) for word in whole.words]]
        cosine = fitted @ embedding / np.linalg.norm(fitted)
        assert abs(cosine - whole.cosine) < 1e-6
    mask = np.zeros((60, 60), bool)
    mask[10:40, 10:40] = True
    assert words_of(encoding, listed, at=mask).words
    with pytest.raises(SettingsError, match="no words"):
        words_of(encoding, [" "])
    with pytest.raises(SettingsError, match="rows 0 to 59"):
        words_of(encoding, listed, at=(60, 0))
