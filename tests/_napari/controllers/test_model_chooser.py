"""The chooser in a real viewer."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from qtpy.QtCore import Qt, QThreadPool
from qtpy.QtWidgets import QAbstractButton, QApplication, QFileDialog, QLineEdit

from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY
from napari_clip_heatmap._napari.views.model_table import ModelColumn
from napari_clip_heatmap._napari.widget import HeatmapWidget
from napari_clip_heatmap.errors import ModelLoadError


def no_thread_is_left():
    assert QThreadPool.globalInstance().waitForDone(20_000)
    return not [each for each in threading.enumerate() if each.name.startswith("clip-heatmap")]


@pytest.fixture
def viewer(make_napari_viewer):
    yield make_napari_viewer(show=True)
    assert no_thread_is_left()


@pytest.fixture
def widget(viewer, session, hub):
    widget = HeatmapWidget(viewer, session, hub.catalog)
    widget["model"].value = "demo"
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    return widget


@pytest.fixture
def view(widget, qtbot, hub):
    """The chooser's controls, opened and listed."""
    widget["choose"].native.click()
    view = widget.chooser.view
    qtbot.waitUntil(lambda: "4 models" in view.status.text(), timeout=20_000)
    return view


def names(view):
    rows = view.table.model()
    return [rows.index(row, ModelColumn.MODEL).data() for row in range(rows.rowCount())]


def select(view, name):
    view.table.selectRow(names(view).index(name))


def test_opens_on_the_model_that_is_chosen_ready_to_search(view, widget, hub):
    assert view.isVisible()
    assert names(view) == [entry.name for entry in hub.entries]
    assert view.table.currentIndex().data() == "demo"
    assert "BSD-3-Clause" in view.about.text()
    assert not view.download.isEnabled()
    view.leave.click()
    assert not view.isVisible()
    widget["model"].value = "ViT-L-14/web"
    widget["choose"].native.click()
    assert view.table.currentIndex().data() == "ViT-L-14/web"
    assert widget["model"].value == "ViT-L-14/web"


def test_what_is_not_listed_may_be_the_model(widget, view, qtbot):
    view.leave.click()
    widget["model"].value = "local-dir:/mine"
    widget["choose"].native.click()
    qtbot.waitUntil(lambda: "4 models" in view.status.text(), timeout=20_000)
    view.leave.click()
    assert widget["model"].value == "local-dir:/mine"


def test_searched_sorted_and_narrowed_the_selection_stays(view, qtbot):
    select(view, "ViT-L-14/web")
    qtbot.keyClicks(view.search, "web")
    assert names(view) == ["ViT-B-16/web", "ViT-L-14/web"]
    assert view.table.currentIndex().data() == "ViT-L-14/web"
    view.table.sortByColumn(ModelColumn.SIZE, Qt.SortOrder.DescendingOrder)
    assert names(view) == ["ViT-L-14/web", "ViT-B-16/web"]
    assert view.table.currentIndex().data() == "ViT-L-14/web"
    view.here.setChecked(True)
    assert names(view) == []
    assert "No model fits" in view.about.text()
    assert not view.use.isEnabled()
    view.search.clear()
    assert names(view) == ["demo"]
    assert view.use.isEnabled()


def test_use_gives_the_part_its_value(view, widget):
    select(view, "ViT-B-16/web")
    assert "forbids commercial use" in view.about.text()
    view.use.click()
    assert widget["model"].value == "ViT-B-16/web"
    assert not view.isVisible()


def test_a_download_shows_progress_and_ends_on_this_machine(view, hub, qtbot):
    select(view, "ViT-B-16/web")
    view.download.click()
    assert not view.download.isEnabled()
    hub.gate.release(4)
    qtbot.waitUntil(lambda: view.progress.value() == 4, timeout=20_000)
    assert view.progress.maximum() == 10
    assert "Downloading ViT-B-16/web: 4 of 10 MB" in view.status.text()
    hub.gate.release(6)
    qtbot.waitUntil(lambda: "on this machine now" in view.status.text(), timeout=20_000)
    assert not view.progress.isVisible()
    qtbot.waitUntil(
        lambda: view.table.currentIndex().siblingAtColumn(ModelColumn.HERE).data() == "yes"
    )
    assert view.table.currentIndex().data() == "ViT-B-16/web"
    assert not view.download.isEnabled()
    assert "on this machine now" in view.status.text()


def test_cancelled_it_goes_on_from_there_when_asked_again(view, hub, qtbot):
    select(view, "ViT-B-16/web")
    view.download.click()
    hub.gate.release(3)
    qtbot.waitUntil(lambda: view.progress.value() == 3, timeout=20_000)
    view.cancel.click()
    qtbot.waitUntil(lambda: "goes on from there" in view.status.text(), timeout=20_000)
    qtbot.waitUntil(view.download.isEnabled)
    hub.gate.release(7)
    view.download.click()
    qtbot.waitUntil(lambda: "on this machine now" in view.status.text(), timeout=20_000)
    assert hub.asked == [("ViT-B-16/web", 0), ("ViT-B-16/web", 3)]


@pytest.mark.parametrize(
    "error", [ModelLoadError("get it by hand"), OSError("get it by hand"), KeyError("by hand")]
)
def test_a_download_that_fails_is_told_in_the_dialog(view, hub, qtbot, messages, error):
    hub.error = error
    select(view, "ViT-B-16/web")
    view.download.click()
    hub.gate.release()
    qtbot.waitUntil(lambda: "Not downloaded" in view.status.text(), timeout=20_000)
    assert "by hand" in view.status.text()
    qtbot.waitUntil(view.download.isEnabled)
    assert not view.progress.isVisible()
    assert len(messages) == isinstance(error, KeyError)  # napari shows what nobody expected


def test_a_list_that_cannot_be_made_is_told(widget, hub, qtbot, messages):
    hub.reason = ModelLoadError("PyTorch cannot be loaded")
    widget["choose"].native.click()
    view = widget.chooser.view
    qtbot.waitUntil(lambda: "PyTorch" in view.status.text(), timeout=20_000)
    assert not view.use.isEnabled()
    assert not messages


def test_closed_while_downloading_it_stops_and_what_has_come_is_kept(view, widget, hub, qtbot):
    select(view, "ViT-B-16/web")
    view.download.click()
    hub.gate.release(2)
    qtbot.waitUntil(lambda: view.progress.value() == 2, timeout=20_000)
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert not view.isVisible()
    qtbot.waitUntil(lambda: not widget.chooser.downloading, timeout=20_000)
    assert no_thread_is_left()
    assert hub.kept == 2
    assert widget["model"].value == "demo"


def test_the_viewer_closed_while_downloading(make_napari_viewer, session, hub, qtbot, messages):
    viewer = make_napari_viewer()
    widget = HeatmapWidget(viewer, session, hub.catalog)
    viewer.window.add_dock_widget(widget)
    widget["choose"].native.click()
    view = widget.chooser.view
    qtbot.waitUntil(lambda: "4 models" in view.status.text(), timeout=20_000)
    select(view, "ViT-B-16/web")
    view.download.click()
    hub.gate.release(2)
    qtbot.waitUntil(lambda: hub.kept == 2, timeout=20_000)
    viewer.close()
    qtbot.wait(50)
    assert no_thread_is_left()
    qtbot.wait(50)
    assert not messages


def test_weights_of_ones_own_are_asked_about_not_guessed(view, widget, hub, qtbot, monkeypatch):
    path = Path("some") / "mine.pt"
    monkeypatch.setattr(QFileDialog, "open", lambda box: box.fileSelected.emit(str(path)))
    view.open_file.click()
    qtbot.waitUntil(view.asked.isVisible, timeout=20_000)
    assert "mine.pt holds weights, of ViT-B-16 by their shapes" in view.asked.text()
    assert names(view) == ["ViT-B-16/web"]
    assert not view.download.isEnabled()
    view.forget.click()
    assert len(names(view)) == 4
    view.open_file.click()
    qtbot.waitUntil(view.asked.isVisible, timeout=20_000)
    view.use.click()
    assert widget["model"].value == f"ViT-B-16/web@{path}"


def test_weights_that_say_it_themselves_and_folders_are_used_at_once(
    view, widget, hub, qtbot, monkeypatch
):
    hub.alike = None
    widget.chooser.open_file(Path("openai.pt"))
    qtbot.waitUntil(lambda: widget["model"].value == "openai.pt", timeout=20_000)
    monkeypatch.setattr(QFileDialog, "open", lambda box: box.fileSelected.emit("/some/folder"))
    view.open_folder.click()
    assert widget["model"].value == "local-dir:/some/folder"


def test_a_file_that_holds_no_weights_is_told(view, widget, hub, qtbot):
    hub.reason = ModelLoadError("bad.pt is damaged")
    widget.chooser.open_file(Path("bad.pt"))
    qtbot.waitUntil(lambda: "damaged" in view.status.text(), timeout=20_000)
    assert not view.asked.isVisible()
    assert widget["model"].value == "demo"


def test_closed_it_asks_about_no_file_any_more(view, widget, hub, qtbot):
    widget.chooser.open_file(Path("mine.pt"))
    qtbot.waitUntil(view.asked.isVisible, timeout=20_000)
    view.leave.click()
    assert len(names(view)) == 4
    hub.alike = None
    widget.chooser.open_file(Path("openai.pt"))
    assert no_thread_is_left()
    qtbot.wait(50)
    assert widget["model"].value == "demo"


def test_every_control_says_what_it_is_for(view):
    own = [view.search, view.here, view.table, view.progress]
    buttons = [each for each in view.findChildren(QAbstractButton) if each.parent() is view]
    assert len(buttons) == 9
    for control in (*own, *buttons):
        assert control.toolTip()
        assert control.accessibleName()


def test_from_an_image_to_a_heatmap_by_keys_alone(viewer, widget, hub, loads, picture, qtbot):
    viewer.add_image(picture, name="cells")
    window, view = viewer.window._qt_window, widget.chooser.view
    with qtbot.waitActive(window):
        window.activateWindow()
    widget["image"].native.setFocus()
    press(qtbot, Qt.Key.Key_Tab, until=lambda: widget["choose"].native.hasFocus())
    press(qtbot, Qt.Key.Key_Space)
    qtbot.waitUntil(view.search.hasFocus, timeout=20_000)
    qtbot.waitUntil(lambda: "4 models" in view.status.text(), timeout=20_000)
    qtbot.keyClicks(view.search, "web")
    press(qtbot, Qt.Key.Key_Down)
    assert view.search.hasFocus()
    press(qtbot, Qt.Key.Key_Return)
    assert widget["model"].value == "ViT-L-14/web"
    qtbot.waitUntil(window.isActiveWindow, timeout=20_000)
    press(qtbot, Qt.Key.Key_Tab, until=lambda: widget["prompts"].view.hasFocus())
    table = widget["prompts"].view
    table.selectAll()
    press(qtbot, Qt.Key.Key_Delete)
    press(qtbot, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: isinstance(QApplication.focusWidget(), QLineEdit))
    qtbot.keyClicks(QApplication.focusWidget(), "red")
    press(qtbot, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=60_000)
    qtbot.waitUntil(lambda: widget["run"].enabled, timeout=60_000)
    assert loads == ["ViT-L-14/web"]
    assert viewer.layers["red"].metadata[METADATA_KEY]["complete"]


def press(qtbot, key, modifier=Qt.KeyboardModifier.NoModifier, until=None):
    """Press a key where the focus is; again and again until something holds."""
    for _ in range(12):
        qtbot.keyClick(QApplication.focusWidget(), key, modifier)
        if until is None or until():
            return
    raise AssertionError("the key does not lead there")
