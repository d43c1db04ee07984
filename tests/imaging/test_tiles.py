from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.imaging.lattice import plan_lattice
from napari_clip_heatmap.imaging.tiles import blend_tile, is_blank, read_tile, reflect


def lattice_of(shape, patch=4, tile=32, overlap=0.5):
    return plan_lattice(shape, shape, patch=(patch,) * 2, tile=(tile,) * 2, overlap=overlap)


class Array:
    """An image in memory as tiles are read from it."""

    def __init__(self, rgb):
        self.rgb, self.reads = rgb, []

    def read(self, y, x):
        self.reads.append((y, x))
        return self.rgb[y, x]


def colors(shape):
    return np.random.default_rng(0).random((*shape, 3), np.float32)


@given(st.integers(1, 12), st.integers(0, 60), st.integers(0, 60))
def test_reflection_is_numpys_symmetric_padding(length, before, after):
    expected = np.pad(np.arange(length), (before, after), mode="symmetric")
    np.testing.assert_array_equal(reflect(range(-before, length + after), length), expected)


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (31, 33), (32, 32), (100, 40), (77, 131)])
def test_tiles_are_cut_from_the_symmetrically_padded_image(shape):
    image, lattice = colors(shape), lattice_of(shape)
    margin = 64
    padded = np.pad(image, ((margin,) * 2, (margin,) * 2, (0, 0)), mode="symmetric")
    for tile in lattice.tiles:
        y, x = lattice.y.pixels(tile[0]), lattice.x.pixels(tile[1])
        expected = padded[y.start + margin : y.stop + margin, x.start + margin : x.stop + margin]
        seen = read_tile(Array(image), lattice, tile)
        np.testing.assert_array_equal(seen, expected)
        assert seen.shape == (32, 32, 3)


def test_only_the_needed_pixels_are_read():
    source = Array(colors((1000, 1000)))
    read_tile(source, lattice_of((1000, 1000)), (3, 5))
    ((y, x),) = source.reads
    assert (y.stop - y.start, x.stop - x.start) == (32, 32)


def test_a_tile_is_blank_only_if_all_its_pixels_are_one_color():
    tile = np.full((32, 32, 3), 0.3, np.float32)
    assert is_blank(tile)
    tile[31, 31, 2] = 0.31
    assert not is_blank(tile)
    assert is_blank(np.broadcast_to(np.float32([0.1, 0.2, 0.3]), (32, 32, 3)))


@given(st.integers(1, 90), st.integers(1, 90), st.floats(0, 0.9))
def test_tiles_that_agree_blend_to_what_they_agree_on(height, width, overlap):
    lattice = lattice_of((height, width), overlap=overlap)
    truth = np.random.default_rng(1).random((*lattice.grid, 2), np.float32)
    total = np.zeros_like(truth)
    for tile in lattice.tiles:
        tokens = np.full((8, 8, 2), np.nan, np.float32)  # padding has no say: NaN would show
        (y, y_in), (x, x_in) = lattice.y.cells(tile[0]), lattice.x.cells(tile[1])
        tokens[y_in, x_in] = truth[y, x]
        blend_tile(total, lattice, tile, tokens)
    np.testing.assert_allclose(total, truth, rtol=1e-5)


def test_one_tile_is_laid_exactly():
    lattice = lattice_of((32, 32))
    tokens = np.random.default_rng(2).standard_normal((8, 8, 5)).astype(np.float32)
    total = np.zeros((8, 8, 5), np.float32)
    blend_tile(total, lattice, (0, 0), tokens)
    np.testing.assert_array_equal(total, tokens)
