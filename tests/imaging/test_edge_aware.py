"""Maps drawn along the edges of their image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_clip_heatmap.imaging.edge_aware import draw_along_edges
from napari_clip_heatmap.imaging.lattice import plan
from napari_clip_heatmap.imaging.resample import to_image_pixels


def lattice_of(shape, quality="standard", downsample=1):
    return plan(shape, tile=(32, 32), patch=(8, 8), downsample=downsample, quality=quality)[0]


def cell_means(picture, lattice):
    """The mean over the pixels whose centers are in each cell, one cell after another."""
    y, x = (axis.cell_edges() - 0.5 for axis in (lattice.y, lattice.x))
    means = np.full(lattice.grid, np.nan)
    for row, column in np.ndindex(lattice.grid):
        inside = picture[
            int(np.ceil(y[row])) : int(np.ceil(y[row + 1])),
            int(np.ceil(x[column])) : int(np.ceil(x[column + 1])),
        ]
        if inside.size:
            means[row, column] = inside.mean(dtype=np.float64)
    return means


@settings(max_examples=30)
@given(
    st.integers(0, 2**31),
    st.integers(1, 90),
    st.integers(1, 90),
    st.sampled_from(["standard", "fine"]),
    st.sampled_from([0.5, 1, 1.7]),
)
def test_each_cell_keeps_its_sum(seed, height, width, quality, downsample):
    rng = np.random.default_rng(seed)
    lattice = lattice_of((height, width), quality, downsample)
    values = rng.standard_normal((2, *lattice.grid)).astype(np.float32)
    drawn = draw_along_edges(values, lattice, rng.random((height, width, 3), np.float32))
    assert drawn.shape == (2, height, width)
    for one, picture in zip(values, drawn, strict=True):
        means = cell_means(picture, lattice)
        there = np.isfinite(means)
        np.testing.assert_allclose(means[there], one[there], atol=1e-5 * max(1, np.ptp(one)))


def test_a_disk_is_drawn_nearer_to_its_outline_than_by_interpolation():
    y, x = np.mgrid[:96, :96] + 0.5
    disk = np.hypot(y - 46, x - 51) < 20
    lattice = lattice_of((96, 96))
    patches = disk.reshape(12, 8, 12, 8).mean((1, 3)).astype(np.float32)
    pixels = (0.2 + 0.6 * disk)[..., np.newaxis].astype(np.float32)
    drawn = draw_along_edges(patches[np.newaxis], lattice, pixels)[0]
    plain = to_image_pixels(patches[np.newaxis], lattice)[0]
    assert np.abs(drawn - disk).mean() < 0.6 * np.abs(plain - disk).mean()


def test_a_constant_image_changes_next_to_nothing():
    values = np.random.default_rng(0).random((1, 12, 12), np.float32)
    drawn = draw_along_edges(values, lattice_of((96, 96)), np.full((96, 96, 1), 0.5, np.float32))
    assert (
        np.corrcoef(drawn.ravel(), to_image_pixels(values, lattice_of((96, 96))).ravel())[0, 1]
        > 0.95
    )


def test_unknown_cells_stay_unknown_and_spoil_no_others():
    values = np.ones((1, 12, 12), np.float32)
    values[0, :4, :4] = np.nan
    lattice = lattice_of((96, 96))
    drawn = draw_along_edges(values, lattice, np.random.default_rng(0).random((96, 96, 1)))
    np.testing.assert_array_equal(np.isnan(drawn), np.isnan(to_image_pixels(values, lattice)))
    np.testing.assert_allclose(drawn[np.isfinite(drawn)], 1, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (3, 40)])
def test_thin_images_are_drawn_too(shape):
    lattice = lattice_of(shape)
    values = np.ones((1, *lattice.grid), np.float32)
    drawn = draw_along_edges(values, lattice, np.zeros((*shape, 3), np.float32))
    np.testing.assert_allclose(drawn, 1, atol=1e-6)
