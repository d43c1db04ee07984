from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap._napari.annotation_state import ObjectSettings
from napari_clip_heatmap._napari.controllers.annotation.outline_preview import (
    OUTLINE_NAME,
    OutlinePreview,
)
from napari_clip_heatmap._napari.inputs.layer_regions import camera_of
from napari_clip_heatmap.imaging.lattice import plan_lattice


@pytest.fixture
def preview(viewer_model):
    preview = OutlinePreview(viewer_model)
    yield preview
    preview.close()


def drawn(preview, image, index=(), limit=0.5):
    lattice = plan_lattice((64, 64), (64, 64), patch=(8, 8), tile=(32, 32), overlap=0.5)
    values = np.zeros(lattice.grid, np.float32)
    values[2:5, 2:5] = 1
    preview.draw(image, index, values, lattice, limit, ObjectSettings())
    return preview.layer


def test_it_lies_on_the_image_with_its_units(viewer_model, preview):
    image = viewer_model.add_image(
        np.zeros((64, 64)), scale=(0.5, 0.25), translate=(3, 4), units=("um", "um")
    )
    layer = drawn(preview, image)
    assert layer.name == OUTLINE_NAME
    np.testing.assert_array_equal(layer.scale, image.scale)
    np.testing.assert_array_equal(layer.translate, image.translate)
    assert layer.units == image.units
    starts = layer.data[:, 0]
    assert (starts >= 15).all()
    assert (starts <= 40).all()


def test_in_a_stack_it_lies_in_the_slice(viewer_model, preview):
    image = viewer_model.add_image(np.zeros((3, 64, 64)))
    layer = drawn(preview, image, (2,))
    assert (layer.data[:, 0, 0] == 2).all()
    assert (layer.data[:, 1, 0] == 0).all()


def test_a_new_threshold_changes_the_layer_and_adds_none(viewer_model, preview):
    image = viewer_model.add_image(np.zeros((64, 64)))
    layer = drawn(preview, image)
    before = layer.data.copy()
    assert drawn(preview, image, limit=0.9) is layer
    assert not np.array_equal(before, layer.data)
    assert len(viewer_model.layers) == 2
    assert drawn(preview, image, limit=2) is None
    assert len(viewer_model.layers) == 1


def test_the_line_is_as_wide_on_screen_at_any_zoom(viewer_model, preview):
    image = viewer_model.add_image(np.zeros((64, 64)), scale=(2, 2))
    layer = drawn(preview, image)
    camera_of(viewer_model).zoom = 5
    assert layer.edge_width == pytest.approx(2 / (5 * 2))


def test_a_user_who_removes_it_gets_no_other_until_it_is_allowed(viewer_model, preview):
    image = viewer_model.add_image(np.zeros((64, 64)))
    viewer_model.layers.remove(drawn(preview, image))
    assert preview.layer is None
    assert drawn(preview, image) is None
    preview.allow()
    assert drawn(preview, image) in viewer_model.layers
    preview.clear()
    assert len(viewer_model.layers) == 1


@pytest.mark.usefixtures("qapp")
def test_napari_removes_it_with_all_that_is_selected_whatever_goes_first(
    viewer_model, preview, qtbot
):
    """What is drawn here follows the image, which may go first."""
    image = viewer_model.add_image(np.zeros((64, 64)))
    viewer_model.layers.events.removed.connect(lambda _event: preview.clear())
    layer = drawn(preview, image)
    viewer_model.layers.select_all()
    viewer_model.layers.remove(image)
    assert preview.layer is None
    viewer_model.layers.remove(layer)  # as napari goes on
    layer = drawn(preview, viewer_model.add_image(np.zeros((64, 64))))
    viewer_model.layers.selection = {layer}
    preview.clear()
    qtbot.waitUntil(lambda: layer not in viewer_model.layers)
    assert len(viewer_model.layers) == 1
