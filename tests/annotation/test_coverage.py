from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.annotation import label_runs
from napari_clip_heatmap.annotation.coverage import measure_coverage
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.lattice import plan_lattice


def fractions(axis):
    """Fraction of each cell of an axis that each pixel covers, (pixel, cell), pixel by pixel."""
    edges = axis.cell_edges()
    matrix = np.zeros((axis.image, axis.n_cells))
    for pixel in range(axis.image):
        for cell in range(axis.n_cells):
            shared = min(pixel + 1, edges[cell + 1]) - max(pixel, edges[cell])
            matrix[pixel, cell] = max(0, shared) / (edges[cell + 1] - edges[cell])
    return matrix


@st.composite
def cases(draw):
    shape = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    factor = draw(st.floats(0.3, 3))
    working = tuple(max(1, round(length / factor)) for length in shape)
    patch = draw(st.integers(2, 5))
    lattice = plan_lattice(
        shape, working, patch=(patch, patch), tile=(4 * patch, 4 * patch), overlap=0.5
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    labels = rng.integers(0, 5, shape) * (rng.random(shape) < draw(st.floats(0, 1)))
    return lattice, labels.astype(draw(st.sampled_from([np.uint8, np.int32, np.uint64])))


def on_lattice(coverage, number, lattice):
    cells = np.zeros(lattice.grid[0] * lattice.grid[1])
    own = coverage.owner == number
    cells[coverage.cell[own]] = coverage.fraction[own]
    return cells.reshape(lattice.grid)


@given(case=cases(), pixels=st.sampled_from([1, 30, 2**23]))
def test_each_object_covers_what_its_pixels_cover(case, pixels):
    lattice, labels = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_runs, "BLOCK_PIXELS", pixels)
        coverage = measure_coverage(labels, lattice)
    by_y, by_x = fractions(lattice.y), fractions(lattice.x)
    assert coverage.label.tolist() == sorted({*labels.ravel().tolist()} - {0})
    assert coverage.label.dtype == labels.dtype
    for number, label in enumerate(coverage.label):
        inside = labels == label
        y, x = np.nonzero(inside)
        expected = by_y.T @ inside @ by_x
        np.testing.assert_allclose(on_lattice(coverage, number, lattice), expected, atol=1e-12)
        assert coverage.area[number] == len(y)
        assert coverage.position_sum[number].tolist() == [y.sum(), x.sum()]
        assert coverage.bbox[number].tolist() == [y.min(), x.min(), y.max() + 1, x.max() + 1]


@given(case=cases())
def test_all_pixels_together_cover_each_patch_once(case):
    lattice, labels = case
    whole = measure_coverage(np.ones(labels.shape, np.uint8), lattice)
    np.testing.assert_allclose(on_lattice(whole, 0, lattice), 1, atol=1e-12)


@given(case=cases())
def test_each_pair_is_there_once_by_object(case):
    coverage = measure_coverage(case[1], case[0])
    pairs = list(zip(coverage.owner.tolist(), coverage.cell.tolist(), strict=True))
    assert pairs == sorted(set(pairs))


def test_sums_over_patches_are_weighted_by_what_is_covered():
    lattice = plan_lattice((8, 8), (8, 8), patch=(4, 4), tile=(8, 8), overlap=0)
    labels = np.zeros((8, 8), int)
    labels[:2, :] = 3  # the upper halves of two patches
    labels[4:, 4:] = 9  # one patch
    coverage = measure_coverage(labels, lattice)
    values = np.array([1.0, 10, 100, 1000])
    assert coverage.sum_over_patches(values).tolist() == [5.5, 1000]
    assert coverage.sum_over_patches(np.stack([values, 2 * values], 1))[0].tolist() == [5.5, 11]


def test_no_label_is_no_object():
    lattice = plan_lattice((8, 9), (8, 9), patch=(4, 4), tile=(8, 8), overlap=0)
    coverage = measure_coverage(np.zeros((8, 9), np.uint16), lattice)
    assert len(coverage) == 0
    assert coverage.label.dtype == np.uint16


def test_a_negative_label_anywhere_is_refused():
    lattice = plan_lattice((8, 9), (8, 9), patch=(4, 4), tile=(8, 8), overlap=0)
    labels = np.zeros((8, 9), int)
    labels[-1, -1] = -1
    with pytest.raises(ImageError, match="negative"):
        measure_coverage(labels, lattice)
