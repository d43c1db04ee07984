"""Deletion and insertion follow the map's own order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.evaluation.faithfulness.perturbation import (
    FILLS,
    Curves,
    fill_pixels,
    perturb,
)


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=12))
def test_areas_are_those_under_straight_lines(values) -> None:
    curves = Curves(np.array(values), np.array(values[::-1]))
    middles = (np.array(values[1:]) + np.array(values[:-1])) / 2
    assert curves.deletion_area == pytest.approx(middles.mean(), abs=1e-12)
    assert curves.gain == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("fill", FILLS)
def test_a_map_and_its_negative_mirror_one_another(tiny_model, tiles, directions, fill) -> None:
    rng = np.random.default_rng(2)
    values = rng.permutation(16).reshape(4, 4).astype(float)
    up, down = perturb(tiny_model, tiles[0], directions[0], [values, -values], fill)
    # The lowest patches, put in, are what is left when the highest are taken away.
    assert up.deletion[0] == down.insertion[-1]
    assert up.deletion[5] == pytest.approx(down.insertion[5], abs=1e-6)  # 8 of 16 either way
    assert up.insertion[0] == up.deletion[-1]
    assert up.insertion[-1] == up.deletion[0]


@pytest.mark.parametrize("fill", FILLS)
def test_each_point_is_the_cosine_of_the_mixed_picture(
    tiny_clip, tiny_model, tiles, directions, fill
) -> None:
    values = np.arange(16.0).reshape(4, 4)  # the last patches in reading order come first
    (curves,) = perturb(tiny_model, tiles[0], directions[0], [values], fill)
    empty = fill_pixels(tiles[0], fill)
    half = np.where(np.arange(32)[:, None, None] >= 16, empty, tiles[0])  # lower half is gone
    inserted = np.where(np.arange(32)[:, None, None] >= 16, tiles[0], empty)
    pictures = np.stack([tiles[0], empty, half, inserted]).astype(np.float32)
    with torch.no_grad():
        read = tiny_clip.encode_image(tiny_model.preprocess(pictures))
        expected = torch.cosine_similarity(read, directions[:1]).numpy()
    found = [
        curves.deletion[0],
        curves.deletion[-1],
        curves.deletion[5],
        curves.insertion[5],
    ]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_fills_are_the_mean_and_a_blur(tiles) -> None:
    mean, blurred = fill_pixels(tiles[0], "mean"), fill_pixels(tiles[0], "blur")
    np.testing.assert_allclose(mean, np.broadcast_to(tiles[0].mean((0, 1)), mean.shape), rtol=1e-5)
    assert blurred.std() < tiles[0].std() / 5
    assert blurred.mean() == pytest.approx(tiles[0].mean(), abs=0.02)


def test_a_map_that_knows_beats_one_that_does_not(tiny_model, tiles, directions) -> None:
    """The order by each patch's own effect is better than the same order upside down."""
    from napari_clip_heatmap.evaluation.faithfulness.control_methods import occlusion

    effect = occlusion(tiny_model, tiny_model.preprocess(tiles), directions).double().numpy()
    gains = []
    for tile, direction, values in zip(tiles, directions, effect, strict=True):
        good, bad = perturb(tiny_model, tile, direction, [values, -values], "mean")
        gains.append(good.gain - bad.gain)
    assert np.mean(gains) > 0
