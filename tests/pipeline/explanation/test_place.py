"""The value at a place is the mean of the maps' own pixels there."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from napari_clip_heatmap.errors import ImageError, SettingsError
from napari_clip_heatmap.imaging.lattice import plan
from napari_clip_heatmap.imaging.resample import at_pixel, to_image_pixels
from napari_clip_heatmap.pipeline.explanation.place import read_place


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(3, 90), st.integers(3, 90)),
    downsample=st.sampled_from([0.5, 1.0, 1.7, 3.0]),
    seed=st.integers(0, 10_000),
    missing=st.booleans(),
    one=st.booleans(),
)
def test_weights_give_the_mean_of_the_maps_own_pixels(
    shape: tuple[int, int], downsample: float, seed: int, missing: bool, one: bool
) -> None:
    lattice, _ = plan(shape, tile=(32, 32), patch=(4, 4), downsample=downsample, overlap=0.5)
    random = np.random.default_rng(seed)
    values = random.normal(size=(1, *lattice.grid)).astype(np.float32)
    if missing:
        values[:, random.random(lattice.grid) < 0.3] = np.nan
    pixels = to_image_pixels(values, lattice)[0]
    mask = random.random(shape) < random.random()
    if one:
        mask[:] = False
        mask[random.integers(shape[0]), random.integers(shape[1])] = True
    assume(np.isfinite(pixels[mask]).any())
    hidden = random.random(shape) < (0.2 if missing else 0)
    assume(np.isfinite(pixels[mask & ~hidden]).any())

    def shown(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return ~hidden[np.ix_(y.astype(int), x.astype(int))]

    place = read_place(mask, shape)
    found = place.weights(lattice, np.isfinite(values[0]), shown)
    assert abs(found.weights.sum() - 1) < 1e-6
    cells = np.nan_to_num(values[0, found.rows, found.columns])
    expected = np.nanmean(np.where(mask & ~hidden, pixels, np.nan))
    assert abs((found.weights * cells).sum() - expected) < 1e-5
    assert found.n_pixels == np.isfinite(pixels[mask & ~hidden]).sum()


def test_a_pixel_is_interpolated_as_the_map_is() -> None:
    lattice, _ = plan((70, 50), tile=(32, 32), patch=(4, 4), downsample=1.3, overlap=0.25)
    values = np.random.default_rng(0).normal(size=(1, *lattice.grid)).astype(np.float32)
    for y, x in [(0, 0), (69, 49), (33, 20), (np.int64(12), np.uint8(7))]:
        found = read_place((y, x), (70, 50)).weights(lattice, np.ones(lattice.grid, bool))
        near = (found.weights * values[0, found.rows, found.columns]).sum()
        assert abs(near - at_pixel(values, lattice, int(y), int(x))[0]) < 1e-6
        assert found.weights.size <= 4


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ((70, 0), "rows 0 to 69"),
        ((0, -1), "columns 0 to 49"),
        ((1.5, 2), "whole numbers"),
        ((True, False), "whole numbers"),
        ("middle", "whole numbers"),
        (np.zeros((70, 50), int), "labels == 3"),
        (np.ones((50, 70), bool), r"\(70, 50\)"),
        (np.zeros((70, 50), bool), "no pixel"),
    ],
)
def test_what_is_no_place_is_refused(at: object, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        read_place(at, (70, 50))


def test_a_place_without_a_value_is_refused() -> None:
    lattice, _ = plan((32, 32), tile=(32, 32), patch=(4, 4), downsample=1, overlap=0)
    place = read_place((4, 4), (32, 32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match="no value at this place"):
            place.weights(lattice, np.zeros(lattice.grid, bool))
