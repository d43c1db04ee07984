from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.imaging.lattice import (
    blend_tile,
    plan,
    plan_axis,
    plan_lattice,
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


def lattice_of(shape, patch=4, tile=32, overlap=0.5, parts=1):
    pairs = {"patch": (patch,) * 2, "tile": (tile,) * 2}
    return plan_lattice(shape, shape, **pairs, overlap=overlap, parts=parts)


@given(st.integers(1, 12), st.integers(0, 60), st.integers(0, 60))
def test_reflection_is_numpys_symmetric_padding(length, before, after):
    expected = np.pad(np.arange(length), (before, after), mode="symmetric")
    np.testing.assert_array_equal(reflect(range(-before, length + after), length), expected)


@given(st.integers(1, 90), st.integers(1, 90), st.floats(0, 0.9), st.sampled_from([1, 2, 4]))
def test_tiles_that_agree_blend_to_what_they_agree_on(height, width, overlap, parts):
    lattice = lattice_of((height, width), overlap=overlap, parts=parts)
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


@st.composite
def finer_axes(draw):
    """A standard axis and a finer one of the same image."""
    patch, per_tile = draw(st.integers(1, 16)), draw(st.integers(1, 16))
    image, working = draw(st.integers(1, 1500)), draw(st.integers(1, 500))
    settings = {"patch": patch, "tile": patch * per_tile, "overlap": draw(st.floats(0, 0.9))}
    parts = draw(st.sampled_from([2, 4]))
    return plan_axis(image, working, **settings), plan_axis(image, working, **settings, parts=parts)


@given(finer_axes())
def test_a_finer_axis_has_the_standard_tiles_and_cells_among_its_own(axes):
    standard, finer = axes
    unshifted = [tile for tile in range(len(finer.starts)) if not finer.is_shifted(tile)]
    assert [finer.pixels(tile) for tile in unshifted] == [
        standard.pixels(tile) for tile in range(len(standard.starts))
    ]
    np.testing.assert_allclose(
        finer.weights[unshifted][:, :: finer.parts], standard.weights, atol=1e-6
    )
    assert finer.n_cells == (standard.n_cells - 1) * finer.parts + 1
    cells = np.arange(standard.n_cells) + 0.5
    at = finer.position(np.arange(0, finer.n_cells, finer.parts) + 0.5)
    np.testing.assert_allclose(at, standard.position(cells), atol=1e-6 * standard.image)


@given(finer_axes())
def test_each_cell_of_a_finer_axis_lies_at_the_center_of_its_patches(axes):
    _, axis = axes
    scale = axis.image / axis.working
    for tile in range(len(axis.starts)):
        on_lattice, in_tile = axis.cells(tile)
        cells = np.arange(axis.n_cells)[on_lattice]
        patches = np.arange(in_tile.start, in_tile.stop)
        assert len(cells) == len(patches)
        centers = (axis.pixels(tile).start + (patches + 0.5) * axis.patch) * scale
        assert (np.abs(centers - axis.position(cells + 0.5)) <= 0.5 * scale + 1e-9).all()
        if axis.patch % axis.parts == 0:
            np.testing.assert_allclose(centers, axis.position(cells + 0.5), atol=1e-6 * axis.image)


@given(finer_axes())
def test_finer_tiles_cover_every_cell_and_cells_cover_the_image(axes):
    _, axis = axes
    np.testing.assert_allclose(axis.weights.sum(axis=0), 1, rtol=1e-5)
    edges = axis.cell_edges()
    assert (edges[0], edges[-1]) == (0, axis.image)
    assert (np.diff(edges) >= 0).all()


@pytest.mark.parametrize(("quality", "times"), [("standard", 1), ("fine", 4), ("finest", 16)])
def test_a_finer_lattice_takes_so_many_times_the_tiles(quality, times):
    lattice, _ = plan((224, 224), tile=(224, 224), patch=(16, 16), quality=quality)
    assert len(lattice.tiles) == times
    assert lattice.quality == quality
    assert lattice.unshifted.sum() == 1


def test_an_unknown_quality_is_refused():
    with pytest.raises(SettingsError, match=r"quality is 'best'.*standard"):
        plan((224, 224), tile=(224, 224), patch=(16, 16), quality="best")
