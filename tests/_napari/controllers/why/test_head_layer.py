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
    most = abs(layer.data).max()
    assert tuple(layer.contrast_limits) == pytest.approx((-most, most))
    (red, _, blue, alpha), (_, _, _, at_zero), (other, _, against, _) = layer.colormap.map(
        np.array([1.0, 0.5, 0.0], np.float32)
    )
    assert (red > blue, other < against, alpha, at_zero) == (True, True, 1, 0)
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
    assert tuple(shown.show(image, (), flat, "row").contrast_limits) == (-0.5, 0.5)
    for empty in (0, np.nan):
        flat.pixels[:] = empty
        low, high = shown.show(image, (), flat, "row").contrast_limits
        assert low < 0 < high


def test_a_map_without_heads_has_the_colors_of_its_prompt(viewer, shown):
    image = viewer.add_image(np.zeros((40, 50)))
    without = picture()
    without.maps.left_out = True
    layer = shown.show(image, (), without, "row", (0.0, 2.0))
    assert (layer.colormap.name, tuple(layer.contrast_limits)) == ("jet", (0, 2))
