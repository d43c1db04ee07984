"""The statistics of nonsense, compared with the maps that are never made for them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.nonsense import NONSENSE
from napari_clip_heatmap.pipeline.null_reference import correlations, make_null_reference
from napari_clip_heatmap.pipeline.presence import token_covariance


@pytest.fixture
def encoding(model):
    image = np.random.default_rng(3).integers(0, 256, (50, 70, 3), np.uint8)
    return encode(model, image, downsample=1)


def maps_of(encoding, directions):
    values = encoding.lattice_values(directions.astype(np.float32)).astype(float)
    return values.reshape(len(directions), -1)


def test_the_covariance_is_that_of_maps(encoding):
    directions = np.random.default_rng(0).standard_normal((3, 4))
    covariance = token_covariance(encoding)
    expected = np.cov(maps_of(encoding, directions), bias=True)
    np.testing.assert_allclose(directions @ covariance @ directions.T, expected, atol=1e-5)


def test_a_flat_map_correlates_with_nothing(encoding):
    directions = np.random.default_rng(0).standard_normal((2, 4))
    directions[1] = 0
    np.testing.assert_array_equal(
        correlations(token_covariance(encoding), directions, directions)[1], 0
    )


def test_a_large_lattice_is_sampled(model):
    image = np.random.default_rng(0).integers(0, 256, (400, 410, 3), np.uint8)
    encoding = encode(model, image, downsample=1, overlap=0)
    assert encoding.lattice.grid > (64, 64)
    whole = np.cov(encoding.token_map.reshape(-1, 4).astype(float), rowvar=False, bias=True)
    sampled = token_covariance(encoding)
    np.testing.assert_allclose(sampled, whole, atol=0.1 * np.abs(whole).max())


def test_ranks_and_distances_follow_their_definitions(encoding):
    reference = make_null_reference(encoding)
    lowest, highest = reference.similarities.min(), reference.similarities.max()
    np.testing.assert_array_equal(reference.rank(np.array([lowest, highest + 1])), [0, 1])
    dependence, nearest = reference.scale.dependence(reference.scale.directions)
    np.testing.assert_allclose(dependence, 0, atol=1e-5)
    np.testing.assert_array_equal(nearest, np.arange(len(NONSENSE)))
    np.testing.assert_allclose(
        reference.residual_variance(reference.scale.directions), 0, atol=1e-5
    )


def test_an_image_of_one_color_has_figures_too(model):
    encoding = encode(model, np.full((40, 40), 90, np.uint8), downsample=1)
    reference = make_null_reference(encoding)
    dependence, _ = reference.scale.dependence(np.eye(4))
    assert np.isfinite(dependence).all()
