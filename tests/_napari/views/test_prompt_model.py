"""The rows of the prompt table without a table: edits, undo, and what they emit."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QAbstractItemModelTester

from napari_clip_heatmap._napari.views.prompt_cells import BAR, PromptColumn
from napari_clip_heatmap._napari.views.prompt_model import (
    PromptModel,
    RowFigures,
    lines_of,
    rows_of,
)
from napari_clip_heatmap.pipeline.trust import Trust


@pytest.fixture
def model(qapp):
    model = PromptModel()
    model.reset(rows_of(["a", "b", "c"]))
    return model


@pytest.fixture
def emitted(model):
    emitted = []
    model.prompts_changed.connect(lambda: emitted.append([row.prompt for row in model.rows]))
    return emitted


def prompts(model):
    return [row.prompt for row in model.rows]


def test_it_keeps_qts_rules_for_models(model):
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    model.insert(["d"], 1)
    model.move(0, 2)
    model.remove([1])
    model.stack.undo()
    assert tester.model() is model


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda model: model.insert(["x", "y"], 1), ["a", "x", "y", "b", "c"]),
        (lambda model: model.insert(["x"]), ["a", "b", "c", "x"]),
        (lambda model: model.remove([0, 2]), ["b"]),
        (lambda model: model.move(0, 2), ["b", "c", "a"]),
        (lambda model: model.rewrite(1, "new"), ["a", "new", "c"]),
    ],
)
def test_every_edit_is_emitted_once_and_undone(model, emitted, edit, expected):
    edit(model)
    assert prompts(model) == expected
    assert emitted == [expected]
    model.stack.undo()
    assert prompts(model) == ["a", "b", "c"]
    model.stack.redo()
    assert prompts(model) == expected


def test_letters_of_one_row_are_undone_together(model):
    for words in ("n", "nu", "nuc"):
        model.rewrite(0, words)
    model.rewrite(1, "x")
    model.stack.undo()
    assert prompts(model) == ["nuc", "b", "c"]
    model.stack.undo()
    assert prompts(model) == ["a", "b", "c"]


def test_a_color_is_no_change_of_prompts(model, emitted):
    colored = []
    model.colored.connect(colored.append)
    model.set_color(1, "magma")
    assert colored == [model.rows[1].key]
    assert not emitted


def test_moves_beyond_the_ends_do_nothing(model, emitted):
    model.move(0, 3)
    model.move(-1, 0)
    assert not emitted
    assert not model.stack.canUndo()


def test_a_verdict_and_values_are_shown_in_their_columns(model):
    key = model.rows[0].key
    facts = ("depends on the words", "twice as far")
    model.set_figures({key: RowFigures(0.25, 1.0, Trust.GOOD, facts)})
    model.set_cursor_values({key: 0.5})
    cell = model.index(0, PromptColumn.SIMILARITY)
    assert (cell.data(), cell.data(BAR)) == ("0.250", 1.0)
    cell = model.index(0, PromptColumn.CURSOR)
    assert (cell.data(), cell.data(BAR)) == ("50 %", 0.5)
    cell = model.index(0, PromptColumn.VERDICT)
    assert cell.data(Qt.ItemDataRole.ToolTipRole) == "depends on the words\ntwice as far"
    assert cell.data() == "good"
    assert model.index(1, PromptColumn.VERDICT).data() == ""


def test_counts_are_shown_in_their_rows_until_nothing_is_counted(model):
    heard = []
    model.counting.connect(heard.append)
    key = model.rows[1].key
    model.set_counts({key: 0})
    model.set_counts({key: 12})
    cells = [model.index(row, PromptColumn.COUNT) for row in range(2)]
    assert [cell.data() for cell in cells] == ["", "12"]
    model.set_counts({})
    assert cells[1].data() == ""
    assert heard == [True, False]


def test_lines_are_stripped_and_blank_ones_left_out():
    assert lines_of(" a \n\n\tb\r\n") == ["a", "b"]
