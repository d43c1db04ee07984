"""The dialog under real keys; what its buttons do is tested with the chooser."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from napari_clip_heatmap._napari.views.model_dialog import ModelDialog
from napari_clip_heatmap._napari.views.model_table import FilteredModels, ModelTable

KEYS = Qt.Key


@pytest.fixture
def dialog(qtbot, hub):
    parent = QWidget()
    qtbot.addWidget(parent)
    parent.show()
    table = ModelTable(parent)
    table.reset(hub.entries)
    dialog = ModelDialog(FilteredModels(table, parent), parent)
    dialog.pressed, dialog.owner = [], parent  # Qt deletes a dialog with its parent
    for name in ("use", "leave", "download", "cancel", "open_file", "open_folder"):
        getattr(dialog, name).clicked.connect(lambda _, name=name: dialog.pressed.append(name))
    open_dialog(dialog, qtbot)
    return dialog


def open_dialog(dialog, qtbot):
    dialog.show_search()
    qtbot.waitExposed(dialog)
    assert dialog.focusWidget() is dialog.search


def press(dialog, qtbot, key):
    """Press a key where the keyboard is, also while another window is the active one."""
    qtbot.keyClick(dialog.focusWidget(), key)


def test_enter_means_use(dialog, qtbot):
    press(dialog, qtbot, KEYS.Key_Return)
    assert dialog.pressed == ["use"]


@pytest.mark.parametrize("times", [1, 3])
def test_after_close_enter_still_means_use(dialog, qtbot, times):
    for _ in range(times):
        qtbot.mouseClick(dialog.leave, Qt.MouseButton.LeftButton)
        assert not dialog.isVisible()
        open_dialog(dialog, qtbot)
    dialog.pressed.clear()
    press(dialog, qtbot, KEYS.Key_Return)
    assert dialog.pressed == ["use"]
    assert dialog.isVisible()


def test_after_close_by_the_keyboard_enter_still_means_use(dialog, qtbot):
    dialog.leave.setFocus()
    press(dialog, qtbot, KEYS.Key_Space)
    open_dialog(dialog, qtbot)
    dialog.pressed.clear()
    press(dialog, qtbot, KEYS.Key_Return)
    assert dialog.pressed == ["use"]


def test_enter_on_a_focused_button_presses_that_button(dialog, qtbot):
    dialog.open_file.setFocus()
    press(dialog, qtbot, KEYS.Key_Return)
    assert dialog.pressed == ["open_file"]


def test_after_download_tab_and_space_do_not_close(dialog, qtbot):
    qtbot.mouseClick(dialog.download, Qt.MouseButton.LeftButton)
    dialog.set_working(True)
    dialog.download.setEnabled(False)
    assert dialog.focusWidget() is dialog.table
    press(dialog, qtbot, KEYS.Key_Tab)
    press(dialog, qtbot, KEYS.Key_Space)
    assert dialog.pressed == ["download", "cancel"]
    dialog.set_working(False)
    assert dialog.focusWidget() is dialog.table
    assert dialog.isVisible()


def test_arrow_keys_move_through_the_table_while_the_search_is_typed(dialog, qtbot):
    qtbot.keyClicks(dialog.search, "web")
    press(dialog, qtbot, KEYS.Key_Down)
    first = dialog.table.currentIndex().row()
    press(dialog, qtbot, KEYS.Key_Down)
    assert dialog.table.currentIndex().row() == first + 1
    assert dialog.search.text() == "web"


def test_tab_leaves_the_table(dialog, qtbot):
    dialog.table.setFocus()
    press(dialog, qtbot, KEYS.Key_Tab)
    assert dialog.focusWidget() is not dialog.table


def test_every_control_has_a_tooltip_and_a_name_for_screen_readers(dialog):
    for part in (dialog.search, dialog.here, dialog.table, dialog.use, dialog.leave):
        assert part.toolTip()
        assert part.accessibleName()


def test_a_question_about_weights_is_shown_and_hidden(dialog):
    dialog.set_asking("Which model are they like?")
    assert dialog.asked.isVisible()
    assert dialog.forget.isVisible()
    dialog.set_asking("")
    assert not dialog.asked.isVisible()
