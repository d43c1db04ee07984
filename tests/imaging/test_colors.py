from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap.imaging.colors import as_levels, jet, min_max
from napari_clip_heatmap.imaging.opencv import cv2


def test_each_map_has_its_own_range():
    values = np.array([[[0, 1, 2]], [[-5, 0, 15]]], np.float32)
    np.testing.assert_allclose(min_max(values), [[[0, 0.5, 1]], [[0, 0.25, 1]]])


def test_invalid_pixels_stay_invalid_and_do_not_stretch_the_range():
    unit = min_max(np.array([[[0, np.nan, 2, 4]]], np.float32))
    np.testing.assert_allclose(unit, [[[0, np.nan, 0.5, 1]]])


def test_a_constant_map_is_zero():
    np.testing.assert_array_equal(min_max(np.full((1, 2, 2), 7, np.float32)), 0)


def test_jet_is_opencvs_in_rgb_order():
    unit = np.linspace(0, 1, 256, dtype=np.float32)[None, None]
    table = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_JET)
    np.testing.assert_array_equal(jet(unit)[0], cv2.cvtColor(table, cv2.COLOR_BGR2RGB))
    blue, red = jet(np.array([[[0, 1]]], np.float32))[0, 0]
    assert blue[2] > 100
    assert blue[0] == 0
    assert red[0] > 100
    assert red[2] == 0


@pytest.mark.parametrize("shape", [(4, 1), (1, 4), (1, 1), (3,), (5, 7, 3), (9, 4, 1)])
def test_levels_are_rounded_as_by_numpy(shape):
    rng = np.random.default_rng(0)
    unit = rng.uniform(-0.2, 1.2, shape).astype(np.float32)
    expected = np.rint(np.clip(unit, 0, 1) * np.float32(255)).astype(np.uint8)
    np.testing.assert_array_equal(as_levels(unit), expected)


@pytest.mark.parametrize("shape", [(1, 4, 1), (2, 1, 2), (3, 4, 5)])
def test_every_shape_of_maps_is_colored_pixel_by_pixel(shape):
    unit = np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)
    alone = [jet(np.full((1, 1, 1), value, np.float32)).ravel() for value in unit.ravel()]
    np.testing.assert_array_equal(jet(unit).reshape(-1, 3), alone)


def test_invalid_pixels_are_black():
    np.testing.assert_array_equal(jet(np.full((1, 1, 1), np.nan, np.float32)), 0)
