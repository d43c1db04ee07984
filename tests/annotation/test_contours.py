from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates
from skimage.draw import polygon2mask

from napari_clip_heatmap.annotation.contours import contour_segments, map_contours
from napari_clip_heatmap.imaging.lattice import plan_lattice
from napari_clip_heatmap.imaging.resample import to_image_pixels

PATCH = 8


def lattice_of(shape=(160, 200), working=None):
    return plan_lattice(shape, working or shape, patch=(PATCH, PATCH), tile=(48, 48), overlap=0.5)


def smooth(lattice, seed):
    rng = np.random.default_rng(seed)
    coarse = rng.standard_normal((5, 6))
    at = np.meshgrid(
        np.linspace(0, 4, lattice.grid[0]), np.linspace(0, 5, lattice.grid[1]), indexing="ij"
    )
    return map_coordinates(coarse, at, order=1).astype(np.float32)


def filled(rings, shape):
    """What rings enclose: a pixel inside of an odd number of them."""
    inside = np.zeros(shape, bool)
    for ring in rings:
        inside ^= polygon2mask(shape, ring)
    return inside


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), level=st.floats(0.2, 0.8))
@pytest.mark.parametrize("shapes", [((160, 200), None), ((323, 605), (160, 300))])
def test_rings_enclose_the_pixels_above_the_threshold(shapes, seed, level):
    lattice = lattice_of(*shapes)
    values = smooth(lattice, seed)
    limit = float(np.quantile(values, level))
    above = to_image_pixels(values[np.newaxis], lattice)[0] > limit
    differ = filled(map_contours(values, lattice, limit), lattice.image_shape) ^ above
    assert differ.mean() < 0.02  # rings are straight inside a cell, and the map bends there


def test_corners_lie_on_the_threshold_and_in_the_image():
    lattice = lattice_of((320, 400), (160, 200))
    values = smooth(lattice, 3)
    rings = map_contours(values, lattice, 0.1)
    corners = np.concatenate(rings)
    assert (corners >= -0.5).all()
    assert (corners <= np.array(lattice.image_shape) - 0.5).all()
    inner = corners[((corners > 20) & (corners < np.array(lattice.image_shape) - 20)).all(axis=1)]
    pixels = to_image_pixels(values[np.newaxis], lattice)[0]
    np.testing.assert_allclose(map_coordinates(pixels, inner.T, order=1), 0.1, atol=0.02)


def ring_with_hole(lattice):
    values = np.zeros(lattice.grid, np.float32)
    values[4:13, 4:13] = 1
    values[7:10, 7:10] = 0
    values[16, 20] = 1
    return values


def test_holes_and_small_objects_are_left_out_where_this_is_wanted():
    lattice = lattice_of()
    values = ring_with_hole(lattice)
    assert len(map_contours(values, lattice, 0.5)) == 3
    assert len(map_contours(values, lattice, 0.5, min_area=100)) == 2
    assert len(map_contours(values, lattice, 0.5, fill_holes=True)) == 2
    (outer,) = map_contours(values, lattice, 0.5, min_area=100, fill_holes=True)
    assert np.array_equal(outer[0], outer[-1])


def test_the_hole_of_an_object_that_is_left_out_goes_with_it():
    lattice = lattice_of()
    assert map_contours(ring_with_hole(lattice), lattice, 0.5, min_area=8000) == []


def test_a_hole_may_be_smaller_than_the_smallest_object():
    lattice = lattice_of()
    values = ring_with_hole(lattice)
    assert len(map_contours(values, lattice, 0.5, min_area=1000)) == 2


def test_an_object_at_the_border_is_closed_there():
    lattice = lattice_of()
    values = np.zeros(lattice.grid, np.float32)
    values[:, :10] = 1
    (ring,) = map_contours(values, lattice, 0.5)
    assert np.array_equal(ring[0], ring[-1])
    assert filled([ring], lattice.image_shape)[:, :76].all()


@pytest.mark.parametrize("limit", [2.0, float("nan"), float("inf")])
def test_a_threshold_that_nothing_passes_gives_no_ring(limit):
    lattice = lattice_of()
    assert map_contours(ring_with_hole(lattice), lattice, limit) == []


def test_unknown_patches_have_no_ring():
    lattice = lattice_of()
    assert map_contours(np.full(lattice.grid, np.nan, np.float32), lattice, 0.5) == []
    values = ring_with_hole(lattice)
    values[:, 15:] = np.nan
    corners = np.concatenate(map_contours(values, lattice, 0.5))
    assert corners[:, 1].max() < 15 * PATCH


def test_segments_lead_from_corner_to_corner():
    ring = np.array([[0.0, 0.0], [0.0, 2.0], [3.0, 2.0], [0.0, 0.0]])
    parts = contour_segments([ring, ring + 10])
    assert parts.shape == (6, 2, 2)
    np.testing.assert_array_equal(parts[:3].sum(axis=1), ring[1:])
    np.testing.assert_array_equal(parts[3:].sum(axis=1), ring[1:] + 10)
    assert contour_segments([]).shape == (0, 2, 2)
