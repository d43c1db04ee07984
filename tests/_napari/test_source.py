from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from napari.layers import Image

from napari_clip_heatmap._napari.source import MAX_PIXELS, plane_of
from napari_clip_heatmap.errors import ImageError


def test_a_plane_is_the_whole_2d_image():
    data = np.arange(12).reshape(3, 4)
    plane = plane_of(Image(data), (0, 0))
    np.testing.assert_array_equal(plane.pixels, data)
    assert plane.index == ()


def test_colours_stay_together():
    plane = plane_of(Image(np.zeros((5, 6, 7, 3), np.uint8), rgb=True), (2, 0, 0))
    assert plane.pixels.shape == (6, 7, 3)
    assert plane.index == (2,)


@pytest.mark.parametrize(("world", "index"), [(0, 0), (7.4, 2), (-99, 0), (1e9, 4)])
def test_of_a_stack_the_slice_shown_in_world_units(world, index):
    data = np.arange(5)[:, None, None] * np.ones((1, 6, 7))
    layer = Image(data, scale=(3, 1, 1), translate=(2, 0, 0))
    plane = plane_of(layer, (0, world, 0, 0))  # a viewer with one more axis
    assert plane.index == (index,)
    assert (plane.pixels == index).all()


def test_of_a_pyramid_the_finest_level():
    fine = np.arange(64 * 64).reshape(64, 64)
    plane = plane_of(Image([fine, fine[::2, ::2]], multiscale=True), (0, 0))
    np.testing.assert_array_equal(plane.pixels, fine)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((64, 80, 5), "channels"),
        ((3, 64, 80, 2), "channels"),
        ((1, MAX_PIXELS + 1), "Crop"),
    ],
)
def test_refuses_in_words(shape, words):
    data = np.broadcast_to(np.float32(0), shape)
    layer = Image(data, rgb=False, contrast_limits=(0, 1))
    with pytest.raises(ImageError, match=words):
        plane_of(layer, (0,) * len(shape))


def test_refuses_a_layer_without_a_pixel():
    # napari itself warns while it draws one, so a stand-in.
    layer = SimpleNamespace(
        name="empty", data=np.zeros((0, 5)), ndim=2, rgb=False, multiscale=False
    )
    with pytest.raises(ImageError, match=r"'empty' .* no pixel"):
        plane_of(layer, (0, 0))
