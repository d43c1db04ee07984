"""Measuring models in the chooser of a real viewer, with the mouse and the keyboard."""

from __future__ import annotations

from dataclasses import replace

import pytest
from qtpy.QtCore import Qt

from napari_clip_heatmap._napari.controllers.speed_measurement import SpeedMeasurement
from napari_clip_heatmap._napari.state import DockState, RunStatus
from napari_clip_heatmap._napari.views.model_table import ModelColumn
from napari_clip_heatmap._napari.widget import HeatmapWidget
from napari_clip_heatmap.errors import DeviceError, SettingsError

WEB = "ViT-B-16/web"


@pytest.fixture
def widget(make_napari_viewer, session, hub):
    viewer = make_napari_viewer(show=True)
    widget = HeatmapWidget(viewer, session, hub.catalog)
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    return widget


@pytest.fixture
def view(widget, qtbot):
    """The chooser's controls, with a model selected that is not on this machine."""
    widget["choose"].native.click()
    view = widget.chooser.view
    qtbot.waitUntil(lambda: "4 models" in view.status.text(), timeout=20_000)
    select(view, WEB)
    return view


def select(view, name):
    rows = view.table.model()
    found = [rows.index(row, ModelColumn.MODEL).data() for row in range(rows.rowCount())]
    view.table.selectRow(found.index(name))


def measured(view):
    return view.table.currentIndex().siblingAtColumn(ModelColumn.MEASURED).data()


def test_a_model_is_measured_without_a_download_as_the_dock_is_set(view, widget, hub, qtbot):
    widget["precision"].value = "fp32"
    assert measured(view) == ""
    qtbot.mouseClick(view.measure, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Measuring ViT-B-16" in view.status.text(), timeout=20_000)
    assert view.progress.isVisible()
    assert not view.measure.isEnabled()
    assert not view.download.isEnabled()
    hub.gate.release()
    qtbot.waitUntil(lambda: "takes 4.3 s a megapixel on this" in view.status.text())
    qtbot.waitUntil(lambda: measured(view) == "4.3")
    assert hub.measured == [("ViT-B-16", {"device": "auto", "precision": "fp32"})]
    assert hub.asked == []
    assert not view.progress.isVisible()
    assert view.measure.isEnabled()
    assert view.table.currentIndex().data() == WEB
    view.leave.click()
    widget["choose"].native.click()
    select(view, WEB)
    assert measured(view) == "4.3"  # kept while napari is open


def test_what_was_measured_is_not_shown_for_another_device(view, widget, hub, qtbot):
    hub.gate.release()
    qtbot.mouseClick(view.measure, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: measured(view) == "4.3", timeout=20_000)
    view.leave.click()
    widget["precision"].value = "bf16"
    widget["choose"].native.click()
    qtbot.waitUntil(lambda: "4 models" in view.status.text(), timeout=20_000)
    select(view, WEB)
    assert measured(view) == ""


def test_cancelled_by_keys_it_can_be_measured_again(view, hub, qtbot):
    view.measure.setFocus()
    qtbot.keyClick(view.measure, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: hub.measured != [], timeout=20_000)
    view.cancel.setFocus()
    qtbot.keyClick(view.cancel, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: view.status.text() == "Stopped.", timeout=20_000)
    qtbot.waitUntil(view.measure.isEnabled)
    assert measured(view) == ""


def test_a_closed_dialog_measures_no_more(view, widget, hub, qtbot):
    qtbot.mouseClick(view.measure, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: hub.measured != [], timeout=20_000)
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    widget["choose"].native.click()
    qtbot.waitUntil(view.measure.isEnabled, timeout=20_000)


def test_a_model_that_memory_does_not_hold_is_told(view, hub, qtbot):
    hub.error = DeviceError("it needs about 9.0 GB")
    hub.gate.release()
    qtbot.mouseClick(view.measure, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Not measured: it needs about 9.0 GB" in view.status.text())
    assert measured(view) == ""


def test_beside_a_run_nothing_is_measured(view, widget, hub, qtbot):
    widget.state.status = RunStatus.RUNNING
    qtbot.mouseClick(view.measure, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "measure when the run is done" in view.status.text(), timeout=20_000)
    assert hub.measured == []
    widget.state.status = RunStatus.IDLE


def test_workers_of_a_scheduler_are_not_measured(hub):
    state = DockState(controls={"device": "tcp://host:8786", "precision": "auto"})
    steps = SpeedMeasurement(state, hub.measure).work(hub.entries[2])(lambda: False)
    with pytest.raises(SettingsError, match="choose a device of this machine"):
        list(steps)
    assert hub.measured == []


def test_a_figure_that_a_run_disturbed_is_not_kept(hub):
    state = DockState(controls={"device": "cpu", "precision": "auto"})

    def disturbed(architecture, options, stopped):
        state.status = RunStatus.RUNNING
        return hub.measure(architecture, options, stopped)

    hub.gate.release()
    speeds = SpeedMeasurement(state, disturbed)
    steps = speeds.work(hub.entries[2])(lambda: False)
    with pytest.raises(SettingsError, match="when the run is done"):
        list(steps)
    assert speeds.noted(hub.entries) == tuple(
        replace(entry, seconds_here=None) for entry in hub.entries
    )
