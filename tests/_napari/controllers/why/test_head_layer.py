"""The layer of selected heads: one, renewed in place, and left alone once it is the user's."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_clip_heatmap._napari.colormaps import LayerStyle
from napari_clip_heatmap._napari.controllers.layers import is_own
from napari_clip_heatmap._napari.controllers.why.head_layer import HeadLayer


def picture(name="nuclei \N{MIDDLE DOT} L1H0", seed=0):
    maps = SimpleNamespace(
        heads=("L1H0",), left_out=False, prompts=("nuclei",), score="relative", similarity=[0.25]
    )
    pixels = np.random.default_rng(seed).normal(size=(40, 50)).astype(np.float32)
    return SimpleNamespace(name=name, maps=maps, pixels=pixels, similarity=0.25)


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


@pytest.fixture
def shown(viewer):
    return HeadLayer(viewer, LayerStyle)


def test_a_picture_lies_on_its_image(viewer, shown):
    image = viewer.add_image(np.zeros((40, 50)), scale=(2, 3), translate=(5, 6), rotate=20)
    viewer.layers.selection.active = image
    layer = shown.show(image, (), picture(), "row")
    np.testing.assert_allclose(layer.extent.world, image.extent.world)
    assert viewer.layers[-1] is layer
    assert viewer.layers.selection.active is image
    assert layer.colormap.name == "jet"
    assert tuple(layer.contrast_limits) == pytest.approx((layer.data.min(), layer.data.max()))
    assert layer.metadata["clip_heatmap"]["heads"] == ["L1H0"]
    assert not is_own(layer)


def test_the_next_picture_takes_the_same_layer(viewer, shown):
    image = viewer.add_image(np.zeros((40, 50)))
    first = shown.show(image, (), picture(), "row")
    second = shown.show(image, (), picture("other", 1), "row", (-2.0, 2.0))
    assert first is second
    assert (first.name, len(viewer.layers)) == ("other", 2)
    np.testing.assert_array_equal(first.data, picture(seed=1).pixels)
    assert tuple(first.contrast_limits) == (-2, 2)
    first.name = "mine"
    assert shown.layer is None
    third = shown.show(image, (), picture(), "row")
    assert third is not first
    assert len(viewer.layers) == 3
    shown.remove()
    shown.remove()
    assert [layer.name for layer in viewer.layers][1:] == ["mine"]


def test_a_plane_of_a_stack_lies_in_its_slice(viewer, shown):
    image = viewer.add_image(np.zeros((4, 3, 40, 50)), scale=(5, 2, 1, 1), translate=(7, 0, 0, 0))
    layer = shown.show(image, (2, 1), picture(), "row")
    assert layer.data.shape == (1, 1, 40, 50)
    np.testing.assert_allclose(layer.data_to_world((0, 0, 3, 4)), image.data_to_world((2, 1, 3, 4)))
    again = shown.show(image, (0, 0), picture(), "row")
    assert again is layer
    np.testing.assert_allclose(layer.data_to_world((0, 0, 3, 4)), image.data_to_world((0, 0, 3, 4)))
    np.testing.assert_array_equal(image.affine.affine_matrix, np.eye(5))


def test_a_map_without_contrast_and_one_without_values_have_limits(viewer, shown):
    image = viewer.add_image(np.zeros((40, 50)))
    flat = picture()
    flat.pixels[:] = 0.5
    low, high = shown.show(image, (), flat, "row").contrast_limits
    assert low < 0.5 < high
    flat.pixels[:] = np.nan
    assert tuple(shown.show(image, (), flat, "row").contrast_limits) == (0, 1)
