from __future__ import annotations

import pytest

from napari_clip_heatmap._napari.controllers.canvas.compare import CompareView, grid_of
from napari_clip_heatmap._napari.controllers.layers import heatmaps_by_row
from napari_clip_heatmap._napari.controllers.run_control import RunController
from napari_clip_heatmap._napari.inputs.layer_planes import finest, is_heatmap
from napari_clip_heatmap._napari.inputs.layer_regions import camera_of


@pytest.fixture
def compare(state, viewer_model, session, immediate, qapp):
    """Of a dock whose image has been run."""
    RunController(state, viewer_model, session).start()
    compare = CompareView(state, viewer_model)
    yield compare
    compare.close()


def look(viewer_model):
    return [(layer.name, layer.visible) for layer in viewer_model.layers]


def cells_of_grid(viewer_model):
    """Visible layers in each cell of the grid, from the top left, each from the bottom up."""
    layers = viewer_model.layers
    return [
        [layers[index] for index in sorted(inside) if layers[index].visible]
        for _, inside in grid_of(viewer_model).iter_viewboxes(layers)
        if inside
    ]


def test_each_map_has_a_cell_with_the_image_beneath_it(compare, state, viewer_model, cells):
    before = look(viewer_model)
    viewer_model.add_labels(finest(cells)[..., 0].astype(int) * 0, name="mine")
    state.set_control("compare", True)
    compare.update()
    ours = heatmaps_by_row(viewer_model, cells)
    found = cells_of_grid(viewer_model)
    assert [each[-1] for each in found] == [ours[key] for key in ("r", "g", "b")]
    for beneath, heatmap in found:
        assert is_heatmap(beneath), "no control offers it as an image"
        assert finest(beneath) is finest(cells)
        assert heatmap.name_overlay.visible
    state.set_control("compare", False)
    compare.update()
    viewer_model.layers.remove("mine")
    assert sorted(look(viewer_model)) == sorted(before)
    assert not grid_of(viewer_model).enabled
    assert not any(layer.name_overlay.visible for layer in ours.values())


def test_the_grid_follows_the_maps_that_there_are(compare, state, viewer_model, cells):
    state.set_control("compare", True)
    compare.update()
    viewer_model.layers.remove(heatmaps_by_row(viewer_model, cells)["g"])
    compare.update()
    assert [each[-1].name for each in cells_of_grid(viewer_model)] == ["red", "blue"]
    assert len(viewer_model.layers) == 1 + 2 + 2


def test_another_image_ends_it(compare, state, viewer_model, cells, pixels):
    state.set_control("compare", True)
    compare.update()
    state.image = viewer_model.add_image(pixels, name="other")
    compare.update()
    assert not grid_of(viewer_model).enabled
    assert [layer.name for layer in viewer_model.layers if is_heatmap(layer)].count("red") == 1


def test_each_cell_shows_what_the_canvas_showed(compare, state, viewer_model):
    camera = camera_of(viewer_model)
    camera.zoom = 6
    state.set_control("compare", True)
    compare.update()
    assert camera.zoom == 3, "three maps are in a grid of two by two"
    camera.zoom = 5
    state.set_control("compare", False)
    compare.update()
    assert camera.zoom == 10
