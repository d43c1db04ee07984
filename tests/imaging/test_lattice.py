from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.imaging.lattice import plan_axis, plan_lattice


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
