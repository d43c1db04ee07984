from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.annotation.peaks import central_pixels, find_peaks, prominent_cells
from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.imaging.lattice import plan_lattice

PATCH = 8


def lattice_of(shape=(160, 200), working=None):
    return plan_lattice(shape, working or shape, patch=(PATCH, PATCH), tile=(48, 48), overlap=0.5)


def bumps(lattice, *centers, width=14.0):
    """Sum of paraboloids of height 1, 2, ..., at patch centers; 0 far away."""
    y = lattice.y.cell_centers(slice(0, lattice.grid[0]))[:, np.newaxis]
    x = lattice.x.cell_centers(slice(0, lattice.grid[1]))
    values = np.zeros(lattice.grid, np.float32)
    for height, (at_y, at_x) in enumerate(centers, start=1):
        away = ((y - at_y) ** 2 + (x - at_x) ** 2) / width**2
        values = np.maximum(values, height * (1 - away / 4))
    return values.astype(np.float32)


def at(positions, centers):
    """Pixel centers are whole numbers in positions, and halves in image coordinates."""
    np.testing.assert_allclose(positions, np.array(centers) - 0.5, atol=1e-3)


@given(y=st.floats(30, 130), x=st.floats(30, 170))
def test_a_parabola_is_found_at_its_top(y, x):
    lattice = lattice_of()
    positions, values, _ = find_peaks(bumps(lattice, (y, x)), lattice, threshold=0.5)
    at(positions, [[y, x]])
    assert values[0] <= 1


def test_positions_are_in_image_pixels_whatever_the_working_resolution():
    lattice = lattice_of((320, 600), (160, 200))
    positions, _, _ = find_peaks(bumps(lattice, (141.0, 333.0), width=40.0), lattice, threshold=0.2)
    at(positions, [[141, 333]])


def test_the_highest_comes_first_and_low_ones_are_left_out():
    lattice = lattice_of()
    values = bumps(lattice, (40, 40), (40, 150), (120, 100))
    positions, heights, cells = find_peaks(values, lattice, threshold=1.5)
    at(positions, [[120, 100], [40, 150]])
    np.testing.assert_array_equal(heights, values[tuple(cells.T)])


def test_peaks_too_near_to_a_higher_one_are_left_out():
    lattice = lattice_of()
    values = bumps(lattice, (80, 60), (80, 110))
    assert len(find_peaks(values, lattice, threshold=0.3)[0]) == 2
    assert len(find_peaks(values, lattice, threshold=0.3, min_distance=48)[0]) == 2
    positions, _, _ = find_peaks(values, lattice, threshold=0.3, min_distance=60)
    at(positions, [[80, 110]])


def test_what_is_not_known_is_no_peak():
    lattice = lattice_of()
    values = bumps(lattice, (40, 40), (120, 150))
    values[:, 10:] = np.nan
    positions, _, _ = find_peaks(values, lattice, threshold=0.3)
    at(positions, [[40, 40]])


@pytest.mark.parametrize("threshold", [math.nan, 5.0])
def test_nothing_above_the_threshold_is_nothing_found(threshold):
    lattice = lattice_of()
    found = find_peaks(bumps(lattice, (40, 40)), lattice, threshold=threshold)
    assert [part.shape for part in found] == [(0, 2), (0,), (0, 2)]


@pytest.mark.parametrize("distance", [-1, math.nan, math.inf])
@pytest.mark.parametrize("threshold", [0.5, 9.0])
def test_an_impossible_distance_is_refused(distance, threshold):
    lattice = lattice_of()
    with pytest.raises(SettingsError, match=r"min_distance is .*; accepted: image pixels"):
        find_peaks(bumps(lattice, (40, 40)), lattice, threshold=threshold, min_distance=distance)


def test_only_peaks_that_stand_out_split():
    lattice = lattice_of()
    values = bumps(lattice, (80, 60), (80, 110)) + 1
    values[2, 2] = 1.6  # a patch that differs by chance, on a threshold of 1
    cells = prominent_cells(values, 1.0)
    assert len(cells) == 3
    values[10, 8] += 0.05  # next to the first peak: no valley of any depth
    assert len(prominent_cells(values, 1.0)) == 3
    assert len(prominent_cells(values, 1.9)) == 2
    assert prominent_cells(values, 9.0).shape == (0, 2)


def test_the_central_pixel_is_beneath_the_center():
    lattice = lattice_of((16, 24))
    y, x = central_pixels(lattice, np.array([[0, 0], [1, 2]]))
    assert y.tolist() == [4, 12]
    assert x.tolist() == [4, 20]
