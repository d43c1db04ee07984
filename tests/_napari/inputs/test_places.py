from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Labels, Shapes

from napari_clip_heatmap._napari.inputs.layer_regions import region_inside, region_of_rectangle

PIXELS = np.arange(50) + 0.5, np.arange(60) + 0.5
BOX = np.array([[9.5, 19.5], [9.5, 39.5], [29.5, 39.5], [29.5, 19.5]])


@pytest.fixture
def box():
    inside = np.zeros((50, 60), bool)
    inside[10:30, 20:40] = True
    return inside


def test_a_rectangle(box):
    np.testing.assert_array_equal(region_of_rectangle((10, 30, 20, 40)).inside(*PIXELS), box)


def test_inside_shapes(box):
    region = region_inside(Shapes([BOX], shape_type="rectangle"), Image(box), (0, 0))
    np.testing.assert_array_equal(region.inside(*PIXELS), box)


def test_inside_labels(box):
    region = region_inside(Labels(box * 7), Image(box), (0, 0))
    np.testing.assert_array_equal(region.inside(*PIXELS), box)


def test_labels_at_another_resolution_and_place(box):
    coarse = box[::2, ::2].astype(int)[5:]
    image = Image(box, scale=(0.5, 0.5))
    labels = Labels(coarse, scale=(1, 1), translate=(5.25, 0.25))
    np.testing.assert_array_equal(region_inside(labels, image, (0, 0)).inside(*PIXELS), box)


def test_of_labels_in_a_stack_the_slice_shown(box):
    labels = Labels(np.stack([np.zeros_like(box), box]).astype(int))
    image = Image(np.zeros((3, 50, 60)), contrast_limits=(0, 1))
    region = region_inside(labels, image, (1, 0, 0))
    np.testing.assert_array_equal(region.inside(*PIXELS), box)
