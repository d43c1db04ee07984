"""Masks of layers that mark places."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Labels, Shapes

from napari_clip_heatmap._napari.controllers.examples.example_sources import marked_by_layer
from napari_clip_heatmap.errors import ImageError


@pytest.fixture
def image():
    return Image(np.zeros((40, 60)), name="cells")


def test_all_labels_or_one_of_them(image):
    labels = np.zeros((40, 60), int)
    labels[:10], labels[30:] = 3, 7
    layer = Labels(labels)
    assert np.array_equal(marked_by_layer(layer, image, (0, 0)).positive, labels > 0)
    assert np.array_equal(marked_by_layer(layer, image, (0, 0), 7).positive, labels == 7)
    assert marked_by_layer(layer, image, (0, 0)).negative.shape == (0, 2)


def test_labels_of_another_pixel_size(image):
    layer = Labels(np.array([[1, 0], [0, 0]]), scale=(20, 30), translate=(9.5, 14.5))
    expected = np.zeros((40, 60), bool)
    expected[:20, :30] = True
    assert np.array_equal(marked_by_layer(layer, image, (0, 0)).positive, expected)


def test_one_label_of_a_slice(image):
    stack = Image(np.zeros((2, 40, 60)))
    labels = np.zeros((2, 40, 60), int)
    labels[1, :5] = 4
    found = marked_by_layer(Labels(labels), stack, (1, 0, 0), 4)
    assert np.array_equal(found.positive, labels[1] == 4)


def test_shapes_mark_their_inside(image):
    layer = Shapes([[[-0.5, -0.5], [-0.5, 9.5], [9.5, 9.5], [9.5, -0.5]]], shape_type="polygon")
    expected = np.zeros((40, 60), bool)
    expected[:10, :10] = True
    assert np.array_equal(marked_by_layer(layer, image, (0, 0)).positive, expected)


def test_what_marks_nothing_is_refused_in_words(image):
    for layer, said in (
        (None, "no layer"),
        (image, "another kind"),
        (Labels(np.zeros((40, 60), int), name="blank"), "marks nothing"),
        (Shapes(name="none"), "no shape"),
    ):
        with pytest.raises(ImageError, match=said):
            marked_by_layer(layer, image, (0, 0))
