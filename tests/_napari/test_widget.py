from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from napari.layers import Layer
from qtpy.QtCore import Qt, QThreadPool
from qtpy.QtWidgets import QApplication

from napari_clip_heatmap._napari.controllers import model_chooser as module
from napari_clip_heatmap._napari.controllers.layers import own_heatmaps
from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY
from napari_clip_heatmap._napari.widget import HeatmapWidget

PROMPTS = ["red", "green", "blue"]


@pytest.fixture
def run(widget, qtbot):
    def run():
        widget["run"].native.click()
        qtbot.waitUntil(lambda: widget["run"].enabled, timeout=60_000)

    return run


def names(viewer):
    return [layer.name for layer in viewer.layers]


def test_one_jet_layer_a_prompt_lies_exactly_on_the_image(viewer, widget, run, picture, messages):
    image = viewer.add_image(
        picture,
        name="cells",
        scale=(0.5, 0.25),
        rotate=30,
        translate=(10, 20),
        units=("um", "um"),
        axis_labels=("y", "x"),
    )
    run()
    assert names(viewer) == ["cells", *reversed(PROMPTS)]  # the first row on top
    highest = max(viewer.layers[prompt].data.max() for prompt in PROMPTS)
    for prompt in PROMPTS:
        layer = viewer.layers[prompt]
        assert layer.colormap.name.startswith("jet")  # clear at and below zero
        np.testing.assert_allclose(layer.extent.world, image.extent.world)
        assert layer.units == image.units
        assert layer.axis_labels == image.axis_labels
        assert layer.contrast_limits == [0, highest]  # one scale for all
        assert layer.data.shape == (96, 120)
    assert [viewer.layers[p].visible for p in PROMPTS] == [True, False, False]
    assert "3 prompts" in widget["status"].value
    assert "µm" in widget["status"].value
    assert not messages


def test_a_layer_tells_where_it_comes_from(viewer, widget, run, picture):
    viewer.add_image(picture, name="cells")
    run()
    mark = viewer.layers["green"].metadata[METADATA_KEY]
    assert mark["prompt"] == "green"
    assert mark["prompts"] == PROMPTS
    assert mark["score"] == "balanced"
    assert mark["baseline"] == []
    assert mark["model"]["weights_sha256"]
    assert mark["device"] == "cpu"
    assert mark["source"] == "cells"
    assert mark["tiling"]["tile"] == [32, 32]
    assert {"similarity", "notes", "version", "created", "seconds", "slice"} <= set(mark)
    json.dumps(mark)


def test_a_second_run_updates_its_own_layers_in_place(viewer, widget, run, picture, loads):
    widget["score"].value = "relative"
    viewer.add_image(picture, name="cells")
    run()
    red = viewer.layers["red"]
    red.colormap, red.opacity, red.name = "viridis", 0.9, "my red"
    before = red.data.copy()  # a map is painted over where it lies
    widget["prompts"].value = ["red", "cyan"]
    run()
    assert names(viewer) == ["cells", "cyan", "my red"]  # the first row on top
    assert viewer.layers["my red"] is red
    assert (red.colormap.name, red.opacity) == ("viridis", 0.9)
    assert not np.array_equal(red.data, before)
    assert red.visible
    assert not viewer.layers["cyan"].visible, "the current row's map is the one that is shown"
    assert "mirror" in widget["notes"].value
    assert loads == ["demo"]
    assert "encoded before" in widget["status"].value


def test_layers_of_the_users_survive(viewer, widget, run, picture):
    viewer.add_image(picture, name="cells")
    labels = viewer.add_labels(np.ones((5, 5), int), name="red")
    run()
    assert viewer.layers["red"] is labels
    ours = own_heatmaps(viewer)
    assert len(ours) == 3
    copy = viewer.add_layer(Layer.create(*ours[0].as_layer_data_tuple()))  # as Duplicate does
    run()
    assert len(viewer.layers) == 6
    widget["remove_all"].native.click()
    assert set(viewer.layers) == {viewer.layers["cells"], labels, copy}


def test_two_images_have_their_own_layers(viewer, widget, run, picture):
    first = viewer.add_image(picture, name="first")
    run()
    second = viewer.add_image(picture[:50], name="second")
    assert widget["image"].value is second
    run()
    assert len(own_heatmaps(viewer, first)) == len(own_heatmaps(viewer, second)) == 3


def test_all_are_shown_hidden_and_removed_with_one_click(viewer, widget, run, picture):
    image = viewer.add_image(picture, name="cells")
    run()
    for button, shown in [("show_all", 3), ("hide_all", 0), ("show_all", 3)]:
        widget[button].native.click()
        assert sum(layer.visible for layer in own_heatmaps(viewer)) == shown
    widget["remove_all"].native.click()
    assert list(viewer.layers) == [image]
    assert image.visible


def test_the_choice_follows_the_active_image(viewer, widget, run, picture):
    first = viewer.add_image(picture, name="first")
    second = viewer.add_image(picture, name="second")
    assert widget["image"].value is second
    viewer.layers.selection.active = first
    assert widget["image"].value is first
    viewer.add_labels(np.zeros((5, 5), int))
    assert widget["image"].value is first
    first.name = "renamed"
    assert widget["image"].value is first
    run()
    assert widget["image"].value is first
    assert len(widget["image"].choices) == 2
    viewer.layers.remove(first)
    assert widget["image"].value is second
    viewer.layers.clear()
    assert widget["image"].value is None


def test_of_a_stack_the_slice_shown_is_asked(viewer, widget, run, picture):
    image = viewer.add_image(np.stack([picture] * 4), name="stack", rgb=True, scale=(5, 1, 1))
    viewer.dims.set_point(0, 10)
    run()
    layer = viewer.layers["red"]
    assert layer.data.shape == (4, 96, 120)
    assert layer.metadata[METADATA_KEY]["slice"] == [2]
    assert layer.metadata[METADATA_KEY]["slices"] == [[2]]
    np.testing.assert_allclose(layer.extent.world, image.extent.world)
    assert np.isfinite(layer.data).all((1, 2)).tolist() == [False, False, True, False]
    assert np.isnan(layer.data[[0, 1, 3]]).all()


def test_cancel_works_within_a_tile_and_leaves_the_widget_usable(
    viewer, widget, run, picture, model, qtbot
):
    viewer.add_image(picture)
    model.gate.clear()
    widget["run"].native.click()
    qtbot.waitUntil(lambda: "Tile 0 of" in widget["status"].value, timeout=60_000)
    qtbot.waitUntil(model.asked.is_set, timeout=60_000)
    assert not widget["run"].enabled
    assert widget["cancel"].enabled
    widget["cancel"].native.click()
    model.gate.set()
    qtbot.waitUntil(lambda: widget["run"].enabled, timeout=60_000)
    assert model.batches == 1
    assert "Cancelled" in widget["status"].value
    assert len(viewer.layers) == 4  # what was done stays
    assert np.isnan(viewer.layers["red"].data).any()
    run()
    assert len(viewer.layers) == 4
    assert np.isfinite(viewer.layers["red"].data).all()
    assert viewer.layers["red"].metadata[METADATA_KEY]["complete"]


def test_progress_counts_tiles(viewer, widget, picture, model, qtbot):
    viewer.add_image(picture)
    seen = []
    widget["progress"].changed.connect(seen.append)
    widget["run"].native.click()
    qtbot.waitUntil(lambda: widget["run"].enabled, timeout=60_000)
    assert seen == [*sorted(seen[:-1]), 0]
    assert model.batches in seen


def test_closing_the_viewer_while_it_runs_raises_nothing_and_leaves_no_thread(
    make_napari_viewer, session, model, picture, qtbot, messages
):
    viewer = make_napari_viewer()
    widget = HeatmapWidget(viewer, session)
    viewer.window.add_dock_widget(widget)
    widget["prompts"].value = PROMPTS
    viewer.add_image(picture)
    model.gate.clear()
    widget.start()
    qtbot.waitUntil(lambda: "Tile 0 of" in widget["status"].value, timeout=60_000)
    viewer.close()
    model.gate.set()
    assert QThreadPool.globalInstance().waitForDone(20_000)
    qtbot.wait(50)
    assert model.batches == 1
    assert not messages


def test_an_image_removed_meanwhile_is_told(viewer, widget, picture, model, qtbot, messages):
    image = viewer.add_image(picture)
    model.gate.clear()
    widget["run"].native.click()
    qtbot.waitUntil(lambda: "Tile 0 of" in widget["status"].value, timeout=60_000)
    viewer.layers.remove(image)
    model.gate.set()
    qtbot.waitUntil(lambda: widget["run"].enabled, timeout=60_000)
    assert "removed" in messages[-1].message
    assert len(viewer.layers) == 0


def test_keys_alone_are_enough(viewer, widget, picture, qtbot):
    viewer.add_image(picture, name="cells")
    window = viewer.window._qt_window
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    table = widget["prompts"].view
    table.setFocus()
    table.selectAll()
    qtbot.keyClick(table, Qt.Key.Key_Delete)
    assert widget["prompts"].value == []
    qtbot.keyClick(table, Qt.Key.Key_Return)
    for prompt in ("red", "blue"):
        editor = QApplication.focusWidget()
        qtbot.keyClicks(editor, prompt)
        qtbot.keyClick(editor, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda editor=editor: QApplication.focusWidget() not in (editor, table))
    assert widget["prompts"].value == ["red", "blue"]
    editor = QApplication.focusWidget()  # of the row that comes next, left blank
    qtbot.keyClick(editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=60_000)
    qtbot.waitUntil(lambda: widget["run"].enabled, timeout=60_000)


def test_the_dock_asks_for_no_more_height_however_much_it_says(viewer, widget, qtbot):
    window = viewer.window._qt_window
    window.show()
    least = widget.native.minimumSizeHint().height()
    assert least < 600  # a small laptop's screen, without napari's own bars
    widget["notes"].value = "\n".join(f"{n}. something to be known" for n in range(40))
    widget["prompts"].value = [f"prompt {n}" for n in range(30)]
    qtbot.wait(50)
    assert widget.native.minimumSizeHint().height() == least
    assert widget["run"].native.isVisible()


def test_every_control_has_a_tooltip(widget):
    assert all(part.tooltip for part in widget)


def test_another_score_and_a_baseline(viewer, widget, run, picture, messages):
    viewer.add_image(picture)
    assert widget["baseline"].native.isHidden()
    widget["score"].value = "contrast"
    assert not widget["baseline"].native.isHidden()
    run()
    assert "baseline" in messages[-1].message
    widget["baseline"].value = "green"
    run()
    assert viewer.layers["red"].metadata[METADATA_KEY]["baseline"] == ["green"]


def test_opened_from_the_menu_it_holds_the_viewers_own_layers(viewer, picture):
    image = viewer.add_image(picture, name="cells")
    _, widget = viewer.window.add_plugin_dock_widget("napari-clip-heatmap", "CLIP Heatmap")
    assert isinstance(widget, HeatmapWidget)
    assert widget["image"].value is image  # and no proxy of it
    parts = {part.name for part in widget}
    assert {"image", "prompts", "model", "device", "score", "run"} <= parts


def test_of_two_viewers_each_dock_has_its_own(make_napari_viewer, picture):
    first = make_napari_viewer()
    image = first.add_image(picture, name="in the first")
    second = make_napari_viewer()  # the current one from now on
    second.add_image(picture[::-1].copy(), name="in the second")
    _, widget = first.window.add_plugin_dock_widget("napari-clip-heatmap", "CLIP Heatmap")
    assert widget["image"].value is image
    assert widget["image"].choices == (image,)


def test_without_a_viewer_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr("napari.current_viewer", lambda: None)
    with pytest.raises(RuntimeError, match="no napari viewer"):
        HeatmapWidget()


@pytest.mark.parametrize("modules", [{"torch": object}, {}], ids=["at once", "in a thread"])
def test_devices_are_listed_and_stay(viewer, session, qtbot, monkeypatch, modules):
    monkeypatch.setattr(module, "sys", SimpleNamespace(modules=modules))
    monkeypatch.setattr(module, "available_devices", lambda: ("auto", "cuda:0", "cpu"))
    widget = HeatmapWidget(viewer, session)
    viewer.window.add_dock_widget(widget)
    qtbot.waitUntil(lambda: "cuda:0" in widget["device"].choices, timeout=60_000)
    assert widget["device"].value == "auto"
    widget["device"].value = "cuda:0"
    viewer.add_image(np.eye(9))  # for which napari resets all choices
    assert widget["device"].value == "cuda:0"
