from __future__ import annotations

import numpy as np
import pytest
from napari.utils.colormaps import ensure_colormap
from qtpy.QtCore import QMimeData, QModelIndex, Qt, QUrl
from qtpy.QtWidgets import QApplication, QLineEdit, QMenu, QToolButton

from napari_clip_heatmap._napari.colormaps import COLORMAPS
from napari_clip_heatmap._napari.views.prompt_cells import BAR, PromptColumn, strip_of
from napari_clip_heatmap._napari.views.prompt_model import RowFigures, rows_of
from napari_clip_heatmap._napari.views.prompt_table import PromptTable
from napari_clip_heatmap.pipeline.trust import Trust

WORDS = ["nuclei", "actin filaments", "debris"]
COPY = Qt.DropAction.CopyAction


@pytest.fixture
def table(qtbot):
    table = PromptTable(name="prompts", value=WORDS)
    qtbot.addWidget(table.native)
    with qtbot.waitActive(table.native):
        table.native.show()
        table.native.activateWindow()
    return table


@pytest.fixture
def reported(table):
    reported = []
    table.changed.connect(reported.append)
    return reported


def type_into(qtbot, table, place, words, end=Qt.Key.Key_Return):
    table.view.open(place)
    editor = table.view.findChild(QLineEdit)
    editor.selectAll()
    qtbot.keyClicks(editor, words)
    qtbot.keyClick(editor, end)
    qtbot.waitUntil(lambda: table.view.state() != table.view.State.EditingState)


def test_its_value_is_the_words_of_its_rows(table, reported):
    assert table.value == WORDS
    table.value = "  one \n\n two\r\nthree\n"
    assert table.value == ["one", "two", "three"]
    table.value = ["a", " b ", ""]
    assert table.value == reported[-1] == ["a", "b"]


@pytest.mark.parametrize("text", ["<b>bold</b>", "🔬 cells", "größer & <10 µm"])
def test_takes_any_text_as_it_is(table, text):
    table.value = [text]
    assert table.value == [text]


def test_a_row_with_the_same_words_stays_the_same_row(table):
    old = {row.prompt: row.key for row in table.rows}
    table.value = ["debris", "new", "nuclei"]
    assert [old.get(row.prompt) == row.key for row in table.rows] == [True, False, True]
    assert len({row.key for row in rows_of(["a", "a"], table.rows)}) == 2


def test_what_is_typed_is_told_letter_by_letter_and_undone_at_once(table, reported, qtbot):
    key = table.rows[1].key
    type_into(qtbot, table, 1, "myosin")
    assert [value[1] for value in reported] == ["m", "my", "myo", "myos", "myosi", "myosin"]
    assert table.rows[1].key == key
    qtbot.keyClick(table.view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert table.value == WORDS
    table.model.stack.redo()
    assert table.value == ["nuclei", "myosin", "debris"]


def test_rows_are_added_left_blank_removed_and_moved_by_keys(table, qtbot):
    view, control = table.view, Qt.KeyboardModifier.ControlModifier
    view.setCurrentIndex(table.model.index(0, PromptColumn.PROMPT))
    qtbot.keyClick(view, Qt.Key.Key_Return)
    editor = view.findChild(QLineEdit)
    qtbot.keyClicks(editor, "spindles")
    assert table.value == ["nuclei", "spindles", "actin filaments", "debris"]
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: view.currentIndex().row() == 2)
    view.add()
    assert len(table.model.rows) == 5
    qtbot.keyClick(view.findChildren(QLineEdit)[-1], Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: len(table.model.rows) == 4)  # left blank, it goes
    view.setCurrentIndex(table.model.index(3, PromptColumn.PROMPT))
    qtbot.keyClick(view, Qt.Key.Key_Up, control)
    assert table.value == ["nuclei", "spindles", "debris", "actin filaments"]
    qtbot.keyClick(view, Qt.Key.Key_Down, control)
    qtbot.keyClick(view, Qt.Key.Key_Down, control)  # there is nowhere to go
    assert table.value[-1] == "debris"
    qtbot.keyClick(view, Qt.Key.Key_Delete)
    assert table.value == ["nuclei", "spindles", "actin filaments"]
    for _ in range(9):
        table.model.stack.undo()
    assert table.value == WORDS


def test_a_list_is_typed_with_enter_alone(table, qtbot):
    table.value = []
    table.view.setFocus()
    qtbot.keyClick(table.view, Qt.Key.Key_Return)
    for number, words in enumerate(("red", "white", "blue"), start=1):
        qtbot.waitUntil(lambda n=number: len(table.model.rows) == n)
        qtbot.wait(50)  # what Qt has still to do for the last editor
        editor = QApplication.focusWidget()
        assert isinstance(editor, QLineEdit)
        qtbot.keyClicks(editor, words)
        qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(table.model.rows) == 4)
    qtbot.wait(50)
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)  # blank: the list has ended
    qtbot.waitUntil(lambda: len(table.model.rows) == 3)
    assert table.value == ["red", "white", "blue"]
    assert QApplication.focusWidget() is table.view


def test_a_blank_row_that_is_left_for_a_button_does_not_take_its_click(table, qtbot):
    (button,) = (b for b in table.native.findChildren(QToolButton) if b.objectName() == "undo")
    clicked = []
    button.clicked.connect(clicked.append)
    table.view.add()
    qtbot.mousePress(button, Qt.MouseButton.LeftButton)
    button.setFocus(Qt.FocusReason.MouseFocusReason)
    qtbot.waitUntil(lambda: len(table.model.rows) == 3)
    qtbot.mouseRelease(button, Qt.MouseButton.LeftButton)
    assert clicked == [False]


def test_escape_brings_the_words_back(table, reported, qtbot):
    type_into(qtbot, table, 0, "other", Qt.Key.Key_Escape)
    assert "other" in [value[0] for value in reported]
    assert table.value == WORDS


def test_a_key_pressed_by_mistake_changes_nothing(table, qtbot):
    table.view.setCurrentIndex(table.model.index(0, PromptColumn.PROMPT))
    qtbot.keyClick(table.view, Qt.Key.Key_S)
    assert table.value == WORDS
    assert table.view.state() != table.view.State.EditingState


def test_many_lines_are_pasted_and_copied(table, qtbot):
    QApplication.clipboard().setText("\nred cells\n\n white cells\n")
    table.view.setCurrentIndex(table.model.index(0, PromptColumn.PROMPT))
    control = Qt.KeyboardModifier.ControlModifier
    qtbot.keyClick(table.view, Qt.Key.Key_V, control)
    assert table.value == ["nuclei", "red cells", "white cells", "actin filaments", "debris"]
    table.view.selectAll()
    qtbot.keyClick(table.view, Qt.Key.Key_C, control)
    assert QApplication.clipboard().text() == "\n".join(table.value)


def test_tab_leaves_the_table(table, qtbot):
    assert not table.view.tabKeyNavigation()


@pytest.mark.parametrize(("place", "to", "expected"), [(0, 3, "bca"), (2, 0, "cab"), (1, 1, "abc")])
def test_a_row_is_dragged(table, place, to, expected):
    table.value = list("abc")
    carried = table.model.mimeData([table.model.index(place, PromptColumn.PROMPT)])
    assert table.model.canDropMimeData(carried, COPY, to, 0, QModelIndex())
    assert not table.model.dropMimeData(carried, COPY, to, 0, QModelIndex())
    assert "".join(table.value) == expected


def test_text_is_dropped_as_rows_and_a_file_as_a_set(table, tmp_path):
    words = QMimeData()
    words.setText("one\ntwo")
    table.model.dropMimeData(words, COPY, -1, -1, table.model.index(1, 0))
    assert table.value == ["nuclei", "one", "two", "actin filaments", "debris"]
    kept = {row.prompt: row.key for row in table.rows}
    path = tmp_path / "mine.yaml"
    path.write_text("templates: photo\nprompts: [nuclei, {prompt: a, colormap: magma}]")
    loaded = []
    table.loaded.connect(loaded.append)
    dropped = QMimeData()
    dropped.setUrls([QUrl.fromLocalFile(str(path))])
    table.model.dropMimeData(dropped, COPY, -1, -1, QModelIndex())
    assert table.value == ["nuclei", "a"]
    assert table.rows[0].key == kept["nuclei"]
    assert table.rows[1].colormap == "magma"
    assert [each.templates for each in loaded] == ["photo"]


def test_a_bad_file_is_told_and_changes_nothing(table, tmp_path, messages):
    path = tmp_path / "bad.csv"
    path.write_text("nuclei\n")
    table.load(path)
    assert "bad.csv" in messages[-1].message
    assert table.value == WORDS


def test_prompts_are_saved_and_loaded_with_colours_and_templates(table, tmp_path, messages):
    table.model.set_color(1, "magma")
    table.templates = "histology"
    table.save(tmp_path / "mine.yaml")
    table.value = []
    table.save(tmp_path / "none.yaml")
    assert "no prompt" in messages[-1].message
    table.load(tmp_path / "mine.yaml")
    assert table.value == WORDS
    assert [row.colormap for row in table.rows] == ["", "magma", ""]


def test_shipped_sets_are_a_click_away(table):
    actions = {action.text(): action for action in table.sets_menu().actions()}
    actions["Blood smear"].trigger()
    assert table.value[0].startswith("red blood cells")


def test_colours_are_chosen_from_pictures_and_undone(table):
    recoloured = []
    table.model.colored.connect(recoloured.append)
    actions = {action.text(): action for action in table.view.color_menu(0).actions()}
    assert {*COLORMAPS} <= {*actions}
    assert not actions["magma"].icon().isNull()
    actions["magma"].trigger()
    assert table.rows[0].colormap == "magma"
    table.model.stack.undo()
    assert table.rows[0].colormap == ""
    assert recoloured == [table.rows[0].key] * 2


def test_a_strip_shows_a_colormap_from_low_to_high(qapp):
    strip = strip_of("viridis")
    ends = [strip.pixelColor(x, 0).getRgbF()[:3] for x in (0, strip.width() - 1)]
    expected = ensure_colormap("viridis").map(np.array([0, 1], np.float32))[:, :3]
    np.testing.assert_allclose(ends, expected, atol=0.01)


def test_figures_and_values_are_shown_as_text_and_bars(table):
    first, second, _ = table.rows
    table.model.set_figures({first.key: RowFigures(0.1234, 0.5, Trust.GOOD, ("why it is good",))})
    table.model.set_cursor_values({second.key: 0.25})
    model = table.model
    assert model.index(0, PromptColumn.SIMILARITY).data() == "0.123"
    assert model.index(0, PromptColumn.SIMILARITY).data(BAR) == 0.5
    assert model.index(0, PromptColumn.VERDICT).data() == "good"
    assert (
        model.index(0, PromptColumn.VERDICT).data(Qt.ItemDataRole.ToolTipRole) == "why it is good"
    )
    assert model.index(1, PromptColumn.CURSOR).data() == "25 %"
    assert model.index(1, PromptColumn.CURSOR).data(BAR) == 0.25
    assert model.index(1, PromptColumn.SIMILARITY).data() == ""
    model.set_cursor_values({})
    assert model.index(1, PromptColumn.CURSOR).data() == ""
    table.view.grab()  # every cell is painted


def test_every_column_button_and_cell_tells_what_it_is_for(table):
    model = table.model
    for column in PromptColumn:
        way = Qt.Orientation.Horizontal
        assert model.headerData(column, way, Qt.ItemDataRole.ToolTipRole)
        assert model.index(0, column).data(Qt.ItemDataRole.AccessibleTextRole)
    buttons = {
        button.objectName(): button
        for button in table.native.findChildren(type(table.native.findChild(object, "add")))
        if button.objectName()
    }
    assert {"add", "remove", "up", "down", "undo", "sets"} <= {*buttons}
    assert all(button.toolTip() and button.accessibleName() for button in buttons.values())


def test_space_toggles_the_map_and_chooses_colors_on_the_strip(table, qtbot, monkeypatch):
    key = table.rows[0].key
    shown, offered = [], []
    table.model.show.connect(lambda *each: shown.append(each))
    monkeypatch.setattr(QMenu, "popup", lambda menu, *_: offered.append(menu))
    table.view.setCurrentIndex(table.model.index(0, PromptColumn.COLOR))
    qtbot.keyClick(table.view, Qt.Key.Key_Space)
    assert len(offered) == 1
    for column in (PromptColumn.PROMPT, PromptColumn.SHOWN):
        table.view.setCurrentIndex(table.model.index(0, column))
        qtbot.keyClick(table.view, Qt.Key.Key_Space)
    assert shown == [(key, True)] * 2


def test_a_set_with_a_row_that_cannot_be_read_is_not_saved_and_the_row_is_named(
    table, tmp_path, messages
):
    table.value = ["nuclei", "cells |"]
    table.save(tmp_path / "mine.yaml")
    assert not (tmp_path / "mine.yaml").exists()
    (told,) = (each.message for each in messages)
    assert told.startswith("not saved: ")
    assert "in 'cells |' a word is missing" in told
    assert "validation" not in told
    assert "pydantic" not in told
