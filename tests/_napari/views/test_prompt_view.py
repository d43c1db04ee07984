"""The table of prompts under real keys and clicks."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QLineEdit

from napari_clip_heatmap._napari.colormaps import LayerStyle
from napari_clip_heatmap._napari.views.prompt_cells import PromptColumn
from napari_clip_heatmap._napari.views.prompt_model import PromptModel, rows_of
from napari_clip_heatmap._napari.views.prompt_view import PromptView

CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def view(qtbot):
    model = PromptModel()
    model.reset(rows_of(["a", "b", "c"]))
    view = PromptView(model, ("jet", "magma"), LayerStyle)
    view.kept = model
    qtbot.addWidget(view)
    with qtbot.waitExposed(view):
        view.show()
    view.setCurrentIndex(model.index(0, PromptColumn.PROMPT))
    return view


def prompts(view):
    return [row.prompt for row in view.kept.rows]


def test_keys_move_and_remove_rows(view, qtbot):
    qtbot.keyClick(view, Qt.Key.Key_Down, CONTROL)
    assert prompts(view) == ["b", "a", "c"]
    assert view.currentIndex().row() == 1
    qtbot.keyClick(view, Qt.Key.Key_Delete)
    assert prompts(view) == ["b", "c"]
    qtbot.keyClick(view, Qt.Key.Key_Z, CONTROL)
    assert prompts(view) == ["b", "a", "c"]


def test_enter_adds_a_row_below_and_escape_removes_it(view, qtbot):
    qtbot.keyClick(view, Qt.Key.Key_Return)
    assert prompts(view) == ["a", "", "b", "c"]
    qtbot.keyClick(view.findChild(QLineEdit), Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: prompts(view) == ["a", "b", "c"])


def test_a_letter_pressed_by_mistake_replaces_nothing(view, qtbot):
    qtbot.keyClick(view, Qt.Key.Key_X)
    assert prompts(view) == ["a", "b", "c"]
    assert view.findChild(QLineEdit) is None


def test_copy_and_paste_are_one_prompt_per_line(view, qtbot):
    view.selectAll()
    qtbot.keyClick(view, Qt.Key.Key_C, CONTROL)
    assert QApplication.clipboard().text() == "a\nb\nc"
    QApplication.clipboard().setText("x\n\n y ")
    view.setCurrentIndex(view.kept.index(2, PromptColumn.PROMPT))
    qtbot.keyClick(view, Qt.Key.Key_V, CONTROL)
    assert prompts(view) == ["a", "b", "c", "x", "y"]


def test_the_current_row_is_announced_and_survives_a_change_of_rows(view, qtbot):
    named = []
    view.chosen.connect(named.append)
    keys = [row.key for row in view.kept.rows]
    spot = view.visualRect(view.kept.index(1, PromptColumn.PROMPT)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    qtbot.keyClick(view, Qt.Key.Key_Down)
    assert named == keys[1:]
    view.kept.insert(["new"], 0)
    assert view.currentIndex().row() == 3
    view.show_current(keys[0])
    assert view.currentIndex().row() == 1
    assert named == keys[1:], "what the dock chose is not announced"


def test_the_table_is_as_high_as_its_rows_within_reason(view):
    heights = []
    for count in (1, 3, 4, 8, 30):
        view.kept.reset(rows_of([str(n) for n in range(count)]))
        heights.append(view.height())
    assert heights[0] == heights[1] < heights[2] < heights[3] == heights[4]


def test_a_larger_font_fits(view):
    width, height = view.minimumWidth(), view.height()
    font = view.font()
    font.setPointSizeF(2 * font.pointSizeF())
    view.setFont(font)
    assert view.minimumWidth() > 1.5 * width
    assert view.height() > 1.5 * height
    for column in (PromptColumn.SIMILARITY, PromptColumn.VERDICT):
        assert view.columnWidth(column) >= view.fontMetrics().horizontalAdvance("-0.000")


def test_colors_come_from_the_list_or_the_default(view):
    actions = {action.text(): action for action in view.color_menu(0).actions()}
    assert [*actions] == ["default", "jet", "magma"]
    actions["magma"].trigger()
    assert view.kept.rows[0].colormap == "magma"
    actions["default"].trigger()
    assert view.kept.rows[0].colormap == ""
