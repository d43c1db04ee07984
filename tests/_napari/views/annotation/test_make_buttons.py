from __future__ import annotations

import pytest
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFileDialog

from napari_clip_heatmap._napari.views.annotation.file_filters import object_filters, with_suffix
from napari_clip_heatmap._napari.views.annotation.make_buttons import LAYER_MENUS, MakeButtons


@pytest.fixture
def buttons(qtbot):
    buttons = MakeButtons()
    qtbot.addWidget(buttons)
    return buttons


@pytest.mark.parametrize(("text", "entries"), LAYER_MENUS)
def test_a_button_requests_its_first_entry_and_its_menu_the_others(buttons, qtbot, text, entries):
    heard = []
    buttons.layer_requested.connect(heard.append)
    qtbot.mouseClick(buttons.buttons[text], Qt.MouseButton.LeftButton)
    for action in buttons.buttons[text].menu().actions():
        action.trigger()
    assert heard == [entries[0][1], *(request for _, request in entries)]


def test_undo_can_be_pressed_once_there_is_something(buttons, qtbot):
    heard = []
    buttons.undo_requested.connect(lambda: heard.append(1))
    assert not buttons.undo.isEnabled()
    buttons.show_undo("labels")
    assert "labels" in buttons.undo.toolTip()
    qtbot.mouseClick(buttons.undo, Qt.MouseButton.LeftButton)
    assert heard == [1]


def test_it_says_when_it_is_on_screen(buttons):
    heard = []
    buttons.seen.connect(heard.append)
    buttons.show()
    buttons.hide()
    assert heard == [True, False]


def test_export_gives_a_name_that_ends_as_the_chosen_format(buttons, qtbot, monkeypatch):
    (chosen,) = (line for line, suffix in object_filters().items() if suffix == ".geojson")

    def choose(box):
        box.selectNameFilter(chosen)
        QTimer.singleShot(0, lambda: box.fileSelected.emit("folder/cells"))  # not while it opens

    monkeypatch.setattr(QFileDialog, "open", choose)
    with qtbot.waitSignal(buttons.export_requested) as signal:
        buttons.buttons["Export\N{HORIZONTAL ELLIPSIS}"].click()
    assert signal.args == ["folder/cells.geojson"]
    monkeypatch.setattr(QFileDialog, "open", lambda box: box.reject())
    with qtbot.assertNotEmitted(buttons.export_requested):
        buttons.buttons["Export\N{HORIZONTAL ELLIPSIS}"].click()


def test_every_format_is_listed_once():
    filters = object_filters()
    assert len({*filters.values()}) == len(filters) >= 5
    assert with_suffix("a.ome.zarr", ".csv") == "a.ome.zarr"
    assert with_suffix("a", ".csv") == "a.csv"
