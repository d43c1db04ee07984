"""The sections about objects, with mouse and keys in a real viewer."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from napari.layers import Labels, Points
from npe2 import PluginManifest
from qtpy.QtCore import Qt

import napari_clip_heatmap
from napari_clip_heatmap._napari import annotate_menu
from napari_clip_heatmap._napari.controllers.annotation.outline_preview import OUTLINE_NAME
from napari_clip_heatmap._napari.views.control_spec import ControlSection
from napari_clip_heatmap._napari.views.prompt_cells import PromptColumn
from napari_clip_heatmap._napari.widget import HeatmapWidget


@pytest.fixture
def dock(viewer, widget, qtbot, picture):
    """The dock after a run on a stack of two slices, its window shown."""
    viewer.window._qt_window.show()
    viewer.add_image(np.stack([picture, picture[:, ::-1]]), name="cells", rgb=True)
    widget["slices"].value = "all"
    widget["run"].native.click()
    qtbot.waitUntil(lambda: widget["run"].enabled, timeout=60_000)
    return widget


def open_section(dock, qtbot, section):
    dock.open_section(section)
    qtbot.waitUntil(lambda: bool(dock.state.annotation.counts), timeout=20_000)


def settled(dock, qtbot):
    qtbot.waitUntil(lambda: dock.state.message not in ("Making objects", ""), timeout=30_000)


def press(dock, qtbot, text):
    before = dock.state.message
    dock.state.message = ""
    button = dock["make_objects"].view.buttons[text]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    settled(dock, qtbot)
    return before


def test_the_section_draws_the_outline_and_counts_while_it_is_open(viewer, dock, qtbot):
    assert OUTLINE_NAME not in viewer.layers
    open_section(dock, qtbot, ControlSection.ANNOTATE)
    assert OUTLINE_NAME in viewer.layers
    assert "red" in dock["object_count"].value
    dock.open_section(ControlSection.VIEW)
    assert OUTLINE_NAME not in viewer.layers


def test_each_prompts_row_has_its_count_while_the_section_is_open(viewer, dock, qtbot):
    table, model = dock["prompts"].view, dock["prompts"].model
    assert table.isColumnHidden(PromptColumn.COUNT)
    least, width = table.minimumWidth(), dock.native.width()
    open_section(dock, qtbot, ControlSection.ANNOTATE)
    counts = dock.state.annotation.counts
    shown = [model.index(row, PromptColumn.COUNT).data() for row in range(model.rowCount())]
    assert shown == [str(counts[row.key]) for row in model.rows]
    assert any(counts.values())
    assert not table.isColumnHidden(PromptColumn.COUNT)
    assert table.minimumWidth() == least
    assert dock.native.width() == width
    assert table.horizontalHeader().length() <= table.viewport().width(), "nothing is cut off"
    dock["min_size"].value = 100_000
    qtbot.waitUntil(lambda: not any(dock.state.annotation.counts.values()), timeout=20_000)
    assert model.index(0, PromptColumn.COUNT).data() == "0"
    dock.open_section(ControlSection.VIEW)
    assert table.isColumnHidden(PromptColumn.COUNT)
    assert not table.isColumnHidden(PromptColumn.CURSOR)
    assert dock.state.annotation.counts == {}


def test_keys_on_the_slider_set_a_threshold_by_hand(viewer, dock, qtbot):
    open_section(dock, qtbot, ControlSection.ANNOTATE)
    slider = dock["threshold"].native.findChildren(type(dock["threshold"].native))
    before = dock["threshold"].value
    target = dock["threshold"]._widget._qwidget if not slider else slider[0]
    qtbot.keyClick(target, Qt.Key.Key_PageUp)
    assert dock["threshold"].value > before
    assert dock["threshold_by"].value == "by hand"
    assert len(dock.state.annotation.limits) == 1


def test_buttons_make_layers_of_both_slices_with_a_plot_and_undo_removes_them(
    viewer, dock, qtbot, tmp_path
):
    open_section(dock, qtbot, ControlSection.ANNOTATE)
    dock["by_image"].value = False
    dock["object_slices"].value = "all"
    press(dock, qtbot, "To Labels")
    (labels,) = (layer for layer in viewer.layers if isinstance(layer, Labels))
    assert labels.data.shape == (2, 96, 120)
    assert labels.data[0, 50, 10]
    assert labels.data[1, 50, 110]
    assert labels.data[0, 50, 10] != labels.data[1, 50, 110]
    axis = labels.axis_labels[0]
    assert {*labels.features[axis].dropna()} == {0, 1}
    plot = dock["slice_plot"].view
    assert plot.isVisibleTo(dock.native)
    (figures,) = plot.figures
    assert figures.counts[0] >= 1
    path = tmp_path / "figures.csv"
    plot.save_requested.emit(str(path))
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["prompt"] for row in rows] == ["red", "red"]
    press(dock, qtbot, "To Points")
    (points,) = (layer for layer in viewer.layers if isinstance(layer, Points))
    assert {*points.data[:, 0]} == {0, 1}
    for _ in range(2):
        qtbot.mouseClick(dock["make_objects"].view.undo, Qt.MouseButton.LeftButton)
    assert not [layer for layer in viewer.layers if isinstance(layer, Labels | Points)]


def test_objects_of_one_slice_leave_those_of_others(viewer, dock, qtbot):
    open_section(dock, qtbot, ControlSection.ANNOTATE)
    dock["by_image"].value = False
    viewer.dims.set_point(0, 0)
    press(dock, qtbot, "To Labels")
    viewer.dims.set_point(0, 1)
    press(dock, qtbot, "To Labels")
    (labels,) = (layer for layer in viewer.layers if isinstance(layer, Labels))
    assert labels.data[0, 50, 10]
    assert labels.data[1, 50, 110]
    axis = labels.axis_labels[0]
    known = labels.features.dropna(subset="prompt")
    assert {*known[axis]} == {0, 1}
    for label, position in zip(known["label"], known[axis], strict=True):
        assert (labels.data[int(position)] == label).any()


def test_objects_are_named_and_table_and_viewer_agree(viewer, dock, qtbot, messages):
    segmentation = np.zeros((2, 96, 120), np.uint16)
    segmentation[0, 20:60, 5:35], segmentation[1, 20:60, 85:115] = 3, 4
    layer = viewer.add_labels(segmentation, name="segmentation")
    dock["object_slices"].value = "all"
    dock.open_section(ControlSection.CLASSIFY)
    assert dock["classified_layer"].value is layer
    qtbot.mouseClick(dock["classify"].native, Qt.MouseButton.LeftButton)
    naming = "Naming the objects of 'segmentation'"
    qtbot.waitUntil(lambda: dock.state.message != naming, timeout=30_000)
    assert dock.state.annotation.classified is not None, dock.state.message
    assert layer.features["prompt"][3:].tolist() == ["red", "red"]
    table = dock["class_table"].view
    viewer.dims.set_point(0, 0)
    table.view.selectRow(1)
    assert layer.selected_label == 4
    assert viewer.dims.current_step[0] == 1, "the table goes to the slice of the object"
    layer.selected_label = 3
    assert table.view.currentIndex().row() == 0
    histogram = dock["gate_plot"].view.histogram
    qtbot.keyClick(histogram, Qt.Key.Key_Right)
    assert {*dock.state.annotation.gates} == {"red"}
    assert not messages


def test_menus_open_the_dock_at_the_section(viewer, monkeypatch, session, qtbot):
    made = []

    def add(plugin, widget):
        made.append((plugin, widget))
        dock = HeatmapWidget(viewer, session)
        viewer.window.add_dock_widget(dock)
        return None, dock

    monkeypatch.setattr(type(viewer.window), "add_plugin_dock_widget", lambda _, *args: add(*args))
    annotate_menu.open_annotate(viewer)
    annotate_menu.open_classify(viewer)
    assert made == [("napari-clip-heatmap", "CLIP Heatmap")] * 2


def test_the_manifest_names_functions_that_exist():
    manifest = PluginManifest.from_file(f"{next(iter(napari_clip_heatmap.__path__))}/napari.yaml")
    commands = {each.id: each.python_name for each in manifest.contributions.commands}
    for menu in ("segment", "measure", "classify"):
        (item,) = manifest.contributions.menus[f"napari/layers/{menu}"]
        module, _, name = commands[item.command].partition(":")
        assert module == annotate_menu.__name__
        assert callable(getattr(annotate_menu, name))
