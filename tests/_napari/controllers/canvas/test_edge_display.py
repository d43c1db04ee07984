"""A heatmap along the edges of its image, in a real viewer: a picture that no number is made of."""

from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap._napari.controllers.layers import is_own, own_heatmaps
from napari_clip_heatmap._napari.widget import HeatmapWidget
from napari_clip_heatmap.scenes import sample_scene


@pytest.fixture
def widget(viewer):
    widget = HeatmapWidget(viewer)
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    widget["prompts"].value = ["nuclei", "filaments"]
    return widget


def run(widget, qtbot):
    widget.start()
    qtbot.waitUntil(lambda: widget["run"].enabled, timeout=120_000)


def draw(viewer, widget, qtbot):
    widget.export_menu.edges_requested.emit()
    qtbot.waitUntil(
        lambda: any("display only" in each.name for each in viewer.layers), timeout=60_000
    )
    (layer,) = (each for each in viewer.layers if "display only" in each.name)
    return layer


def test_it_is_a_layer_of_its_own_and_changes_no_number(viewer, widget, qtbot):
    image = viewer.add_image(sample_scene()[:160, :200], name="cells")
    run(widget, qtbot)
    heatmap = own_heatmaps(viewer, image)[0]
    before = np.array(heatmap.data)
    similarity = np.array(widget.state.result.result.similarity)
    layer = draw(viewer, widget, qtbot)
    assert layer.data.shape == before.shape
    assert not np.array_equal(layer.data, before)
    assert not is_own(layer)
    np.testing.assert_array_equal(heatmap.data, before)
    np.testing.assert_array_equal(widget.state.result.result.similarity, similarity)
    assert layer.name not in [name for name, _ in widget["image"]._images()]
    assert not heatmap.visible
    run(widget, qtbot)  # neither taken for the image nor for a map
    np.testing.assert_array_equal(own_heatmaps(viewer, image)[0].data, before)


def test_of_a_stack_only_the_slice_in_view_is_drawn(viewer, widget, qtbot):
    viewer.add_image(np.stack([sample_scene()[:96, :96, 1]] * 3), name="stack")
    viewer.dims.set_point(0, 1)
    run(widget, qtbot)
    layer = draw(viewer, widget, qtbot)
    assert layer.data.shape == (3, 96, 96)
    known = [bool(np.isfinite(np.asarray(layer.data[number])).all()) for number in range(3)]
    assert known == [False, True, False]
    viewer.dims.set_point(0, 2)
    widget.export_menu.edges_requested.emit()
    assert "press Run first" in widget["status"].value


def test_without_a_run_it_says_so(viewer, widget):
    viewer.add_image(sample_scene()[:96, :96], name="cells")
    widget.export_menu.edges_requested.emit()
    assert "run first" in widget["status"].value
