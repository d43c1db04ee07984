from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Shapes

from napari_clip_heatmap._napari.controllers.canvas.region_drawing import (
    add_region_layer,
    clear_fill,
)
from napari_clip_heatmap._napari.inputs.layer_regions import region_inside


@pytest.mark.parametrize("leading", [(), (3,)])
def test_what_is_drawn_is_a_region_of_the_image_and_has_no_fill(viewer_model, leading):
    scale = (*(2.0 for _ in leading), 0.5, 0.25)
    image = viewer_model.add_image(np.zeros((*leading, 40, 80)), scale=scale, name="cells")
    layer = add_region_layer(viewer_model, image)
    assert viewer_model.layers.selection.active is layer
    assert layer.mode == "add_rectangle"
    layer.add_rectangles([[5, 10], [5, 30], [25, 30], [25, 10]])
    assert not layer.face_color[:, 3].any()
    assert layer.edge_color[:, 3].all()
    region = region_inside(layer, image, viewer_model.dims.point)
    inside = region.inside(np.arange(40) + 0.5, np.arange(80) + 0.5)
    rows, columns = np.nonzero(inside)
    assert (rows.min(), columns.min()) == (5, 10)
    assert abs(inside.sum() - 20 * 20) <= 41


def test_the_fill_of_a_layer_that_the_user_made_is_cleared():
    layer = Shapes([np.array([[0, 0], [0, 9], [9, 9], [9, 0]])], face_color="white")
    clear_fill(layer)
    assert not layer.face_color[:, 3].any()
    layer.add_rectangles([[1, 1], [1, 3], [3, 3], [3, 1]])
    assert not layer.face_color[:, 3].any()
    empty = Shapes()
    clear_fill(empty)
    empty.add_rectangles([[1, 1], [1, 3], [3, 3], [3, 1]])
    assert not empty.face_color[:, 3].any()
