from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_clip_heatmap.imaging.lattice import plan_lattice
from napari_clip_heatmap.imaging.resample import (
    WINDOW,
    Sampling,
    coarser,
    pixel_range,
    to_image_pixels,
)


@pytest.mark.parametrize(
    ("image", "cells"), [((48, 80), (3, 5)), ((47, 100), (7, 9)), ((9, 7), (9, 7))]
)
def test_interpolation_is_torchs_where_the_lattice_is_the_image(image, cells):
    functional = pytest.importorskip("torch.nn.functional")
    import torch

    lattice = plan_lattice(image, cells, patch=(1, 1), tile=(2, 2), overlap=0)
    values = np.random.default_rng(0).standard_normal((2, *cells)).astype(np.float32)
    expected = functional.interpolate(
        torch.from_numpy(values).double()[None], image, mode="bilinear", align_corners=False
    )[0]
    np.testing.assert_allclose(to_image_pixels(values, lattice), expected, atol=1e-6)


@given(st.data())
def test_a_plane_is_reproduced_where_it_is_not_clamped(data):
    n = st.integers(1, 300)
    image = data.draw(n), data.draw(n)
    working = data.draw(n), data.draw(n)
    patch = data.draw(st.integers(1, 20))
    lattice = plan_lattice(image, working, patch=(patch,) * 2, tile=(8 * patch,) * 2, overlap=0.5)

    def centers(axis):  # of the cells, in image pixels
        middle = (np.arange(axis.n_cells) + 0.5) * axis.patch - axis.lead
        return middle * axis.image / axis.working

    y, x = centers(lattice.y), centers(lattice.x)
    values = (y[:, None] + 2 * x)[None].astype(np.float32)
    pixels_y = np.clip(np.arange(image[0]) + 0.5, y[0], y[-1])
    pixels_x = np.clip(np.arange(image[1]) + 0.5, x[0], x[-1])
    expected = pixels_y[:, None] + 2 * pixels_x
    seen = to_image_pixels(values, lattice)
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen[0], expected, rtol=1e-5, atol=1e-3)


def drawn_lattice(data, longest):
    n = st.integers(1, longest)
    patch = data.draw(st.integers(1, 20))
    image, working = (data.draw(n), data.draw(n)), (data.draw(st.integers(1, 300)),) * 2
    return plan_lattice(image, working, patch=(patch,) * 2, tile=(8 * patch,) * 2, overlap=0.5)


@settings(max_examples=25)
@given(st.data())
def test_a_rectangle_is_exactly_that_of_the_whole(data):
    lattice = drawn_lattice(data, WINDOW + 300)
    values = np.random.default_rng(0).random((2, *lattice.grid), np.float32)
    whole = to_image_pixels(values, lattice)
    y, x = (
        slice(*sorted((data.draw(st.integers(0, n - 1)), data.draw(st.integers(1, n)))))
        for n in lattice.image_shape
    )
    y, x = (slice(s.start, max(s.stop, s.start + 1)) for s in (y, x))
    np.testing.assert_array_equal(to_image_pixels(values, lattice, y, x), whole[:, y, x])


@settings(max_examples=25)
@given(st.data())
def test_unknown_cells_spoil_no_others(data):
    lattice = drawn_lattice(data, 400)
    known = np.random.default_rng(data.draw(st.integers(0, 9))).random(lattice.grid) < 0.6
    values = np.where(known, np.float32(3), np.float32(np.nan))[None]
    seen = to_image_pixels(values, lattice)[0]
    own = np.ix_(*(np.floor(a.cell_positions() + 0.5).astype(int) for a in (lattice.y, lattice.x)))
    np.testing.assert_array_equal(np.isnan(seen), ~known[own])
    np.testing.assert_allclose(seen[known[own]], 3, rtol=1e-5)


def test_a_coarser_level_is_the_same_map_seen_from_further_off():
    lattice = plan_lattice((400, 640), (200, 320), patch=(8, 8), tile=(64, 64), overlap=0.5)
    values = np.random.default_rng(0).random((1, *lattice.grid), np.float32)
    fine = to_image_pixels(values, lattice)[0]
    coarse = to_image_pixels(values, coarser(lattice, 4))[0]
    assert coarse.shape == (100, 160)
    blocks = fine.reshape(100, 4, 160, 4).mean((1, 3))
    assert np.abs(coarse - blocks)[4:-4, 4:-4].max() < 0.05


@given(st.data())
def test_the_range_of_pixels_is_known_without_all_of_them(data):
    lattice = drawn_lattice(data, 400)
    seed = data.draw(st.integers(0, 99))
    values = np.random.default_rng(seed).standard_normal((2, *lattice.grid)).astype(np.float32)
    pixels = to_image_pixels(values, lattice)
    expected = np.stack([pixels.min(axis=(1, 2)), pixels.max(axis=(1, 2))], axis=1)
    np.testing.assert_allclose(pixel_range(values, lattice), expected, atol=2e-6)


@given(st.data())
def test_averages_are_those_of_the_area_that_a_working_pixel_covers(data):
    step = data.draw(st.sampled_from([1.25, 2, 2.5, 3, 5, 16, 17]))
    start = data.draw(st.sampled_from([0, 1, 7, 0.5]))
    working = data.draw(st.integers(1, 6))
    low = data.draw(st.integers(0, working - 1))
    least = int(start + (working - 1) * step) + 1  # something of the last pixel is stored
    stored = data.draw(st.integers(least, least + int(step) + 2))
    kind = data.draw(st.sampled_from([np.float32, np.float64]))
    sampling, wanted = Sampling(stored, start, step), slice(low, working)
    numbers = np.random.default_rng(0).random((stored, 3, 2)).astype(kind)
    needed = sampling.needed(wanted)
    given_numbers = np.swapaxes(np.swapaxes(numbers[needed], 0, 1).copy(), 0, 1)  # in any order
    found = sampling.average(given_numbers, wanted)
    assert found.dtype == kind
    for number, pixel in enumerate(range(low, working)):
        begin, end = start + pixel * step, start + (pixel + 1) * step
        parts = [
            max(0.0, min(end, each + 1) - max(begin, each)) for each in range(needed.start, stored)
        ]
        mean = np.tensordot(parts, numbers[needed.start :], 1) / sum(parts)
        np.testing.assert_allclose(found[number], mean, atol=1e-5)


@pytest.mark.parametrize("step", [2, 3, 2.5])
def test_averages_of_the_largest_numbers_do_not_overflow(step):
    large = np.full((30, 1, 1), 3e38, np.float32)
    found = Sampling(30, 0, step).average(large, slice(0, 12 if step == 2.5 else 30 // step))
    np.testing.assert_allclose(found, 3e38, rtol=1e-6)
