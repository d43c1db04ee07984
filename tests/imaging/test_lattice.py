from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.imaging.lattice import (
    blend_tile,
    is_blank,
    plan_axis,
    plan_lattice,
    read_tile,
    reflect,
)


@st.composite
def axes(draw):
    patch = draw(st.integers(1, 16))
    per_tile = draw(st.integers(1, 16))
    remainder = draw(st.integers(0, patch - 1))
    image = draw(st.integers(1, 3000))
    working = draw(st.integers(1, 1000))
    overlap = draw(st.floats(0, 0.9))
    return plan_axis(
        image, working, patch=patch, tile=patch * per_tile + remainder, overlap=overlap
    ), overlap


@given(axes())
def test_cells_cover_the_image_with_less_than_a_patch_to_spare(drawn):
    axis, _ = drawn
    spare = axis.n_cells * axis.patch - axis.working
    assert 0 <= spare < axis.patch
    assert axis.lead == spare // 2


@given(axes())
def test_tiles_cover_every_cell_and_overlap_as_asked(drawn):
    axis, overlap = drawn
    covered = np.zeros(axis.n_cells, int)
    for tile in range(len(axis.starts)):
        on_lattice, in_tile = axis.cells(tile)
        assert on_lattice.stop - on_lattice.start == in_tile.stop - in_tile.start
        covered[on_lattice] += 1
    assert covered.min() >= 1
    steps = np.diff(axis.starts)
    assert (steps >= 1).all()
    assert (steps <= max(1, axis.cells_per_tile * (1 - overlap) + 1e-6)).all()


@given(axes())
def test_several_tiles_lie_within_the_lattice_and_one_is_centered(drawn):
    axis, _ = drawn
    if len(axis.starts) > 1:
        assert axis.starts[0] == 0
        assert axis.starts[-1] + axis.cells_per_tile == axis.n_cells
    else:
        before = -axis.starts[0]
        after = axis.starts[0] + axis.cells_per_tile - axis.n_cells
        assert 0 <= after - before <= 1


@given(axes())
def test_weights_sum_to_one_and_are_never_zero(drawn):
    axis, _ = drawn
    np.testing.assert_allclose(axis.weights.sum(axis=0), 1, rtol=1e-6)
    for tile in range(len(axis.starts)):
        assert (axis.weights[tile, axis.cells(tile)[0]] > 0).all()
    alone = (axis.weights > 0).sum(axis=0) == 1
    assert (axis.weights.max(axis=0)[alone] == 1).all()


@given(axes())
def test_every_image_pixel_lies_in_its_cell(drawn):
    axis, _ = drawn
    positions = axis.cell_positions()
    centers = (np.arange(axis.image) + 0.5) * axis.working / axis.image + axis.lead
    cell = np.floor(centers / axis.patch).astype(int)
    assert (np.abs(positions - cell) <= 0.5 + 1e-9).all()
    assert (np.diff(positions) >= 0).all()


@pytest.mark.parametrize(
    ("working", "starts", "lead"),
    [
        (224, (0,), 0),
        (1, (-6,), 7),  # one cell, the pixel in its middle; 6 cells of context before, 7 after
        (100, (-3,), 6),  # 7 cells = 112 pixels
        (225, (0, 1), 7),  # 15 cells
        (448, (0, 7, 14), 0),
        (896, (0, 7, 14, 21, 28, 35, 42), 0),
        (400, (0, 5, 11), 0),  # 25 cells: 11 to spare in two steps of at most 7
    ],
)
def test_known_plans(working, starts, lead):
    axis = plan_axis(working, working, patch=16, tile=224, overlap=0.5)
    assert axis.starts == starts
    assert axis.lead == lead


def test_moving_the_window_by_a_patch_moves_the_lattice_by_a_cell():
    positions = plan_axis(448, 448, patch=16, tile=224, overlap=0.5).cell_positions()
    np.testing.assert_allclose(positions[24:-8], positions[8:-24] + 1)


def test_both_axes_have_their_own_plan():
    lattice = plan_lattice((100, 900), (50, 450), patch=(14, 16), tile=(224, 112), overlap=0.5)
    assert lattice.image_shape == (100, 900)
    assert lattice.working_shape == (50, 450)
    assert lattice.grid == (4, 29)
    assert len(lattice.tiles) == len(lattice.y.starts) * len(lattice.x.starts)
    assert lattice.tiles[0] == (0, 0)
    assert lattice.tiles[1] == (0, 1)


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
