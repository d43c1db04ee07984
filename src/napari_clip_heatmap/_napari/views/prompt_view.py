"""The prompt table on screen: keys, drag and drop, and columns; it knows no layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QIcon, QKeyEvent, QKeySequence, QPixmap
from qtpy.QtWidgets import QApplication, QHeaderView, QMenu, QTableView, QWidget

from napari_clip_heatmap._napari.colormaps import LayerStyle, named_colormap
from napari_clip_heatmap._napari.views.prompt_cells import (
    BEFORE,
    KEY,
    BarCell,
    ColorCell,
    PromptCell,
    PromptColumn,
    SoloCell,
    strip_of,
)
from napari_clip_heatmap._napari.views.prompt_model import PromptModel, lines_of

__all__ = ["PromptView"]

WIDTHS = {
    PromptColumn.SHOWN: 22,
    PromptColumn.SOLO: 18,
    PromptColumn.COLOR: 26,
    PromptColumn.SIMILARITY: 46,
    PromptColumn.CURSOR: 44,
    PromptColumn.VERDICT: 52,
}
WORDS_WIDTH = 130
"""Least width of the words, in pixels."""

ROW = 26


class PromptView(QTableView):  # type: ignore[misc] # qtpy ships no types
    """A table of prompts.

    Parameters
    ----------
    model : PromptModel
    colormaps : sequence of str
        To choose from.
    style : callable
        Returns how maps become colors.
    """

    def __init__(
        self,
        model: PromptModel,
        colormaps: Sequence[str],
        style: Callable[[], LayerStyle],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._model, self._colormaps = model, colormaps
        self.setModel(model)
        self.setAccessibleName("Prompts")
        self._set_columns(style)
        self.setSelectionBehavior(self.SelectionBehavior.SelectRows)
        self.setEditTriggers(
            # Not on any key: a key pressed by mistake would replace a prompt.
            self.EditTrigger.DoubleClicked | self.EditTrigger.EditKeyPressed
        )
        self.setDragDropMode(self.DragDropMode.DragDrop)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setDragDropOverwriteMode(False)
        self.setTabKeyNavigation(False)  # so that Tab leaves the table
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW)
        self.setMinimumHeight(ROW * 6 + self.horizontalHeader().sizeHint().height())
        self.setMinimumWidth(sum(WIDTHS.values()) + WORDS_WIDTH)

    def add(self) -> None:
        """Add an empty row below the current one, and edit it."""
        current = self.currentIndex()
        self.open(self._model.insert([""], current.row() + 1 if current.isValid() else None))

    def open(self, row: int) -> None:
        """Start editing the words of a row."""
        index = self._model.index(row, PromptColumn.PROMPT)
        self.setCurrentIndex(index)
        self.edit(index)

    def remove(self) -> None:
        """Remove the selected rows."""
        rows = {index.row() for index in self.selectionModel().selectedRows()}
        self._model.remove(rows)
        if rows and self._model.rows:
            self._go_to(min(min(rows), len(self._model.rows) - 1))

    def move(self, step: int) -> None:
        """Move the current row up or down."""
        row = self.currentIndex().row()
        to = row + step
        if row >= 0 and 0 <= to < len(self._model.rows):
            self._model.move(row, to)
            self._go_to(to)

    def paste(self) -> None:
        """Add each line of the clipboard as a row, below the current one."""
        if lines := lines_of(QApplication.clipboard().text()):
            current = self.currentIndex()
            self._model.insert(lines, current.row() + 1 if current.isValid() else None)

    def copy(self) -> None:
        """Put the selected prompts on the clipboard, one per line."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        QApplication.clipboard().setText("\n".join(self._model.rows[n].prompt for n in rows))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        editing = self.state() == self.State.EditingState
        # A line edit passes Enter on to the table, which would go to the next row.
        action = None if editing else self._action(event)
        if action is None:
            super().keyPressEvent(event)
        else:
            action()
            event.accept()

    def closeEditor(self, editor: QWidget, hint: object) -> None:  # noqa: N802
        # Find the row by its key: another row may be the current one by now.
        key, before = editor.property(KEY), editor.property(BEFORE)
        super().closeEditor(editor, hint)
        row = self._row_of(key)
        if row is None:
            return
        if hint == PromptCell.EndEditHint.RevertModelCache:
            self._model.rewrite(row, before)
        if not self._model.rows[row].prompt:
            self._model.remove([row])  # added, and left blank
            if hint != PromptCell.EndEditHint.NoHint:  # by a key, not by a click on another control
                self.setFocus()
        elif hint == PromptCell.EndEditHint.SubmitModelCache:
            self._on_entered(row)

    def choose_color(self, row: int) -> None:
        """Offer colormaps for a row."""
        menu = self.color_menu(row)
        index = self._model.index(row, PromptColumn.COLOR)
        menu.exec(self.viewport().mapToGlobal(self.visualRect(index).bottomLeft()))

    def color_menu(self, row: int) -> QMenu:
        """Return the menu of colormaps for a row."""
        menu = QMenu(self)
        menu.addAction("default", lambda: self._model.set_color(row, ""))
        for name in self._colormaps:
            icon = QIcon(QPixmap.fromImage(strip_of(named_colormap(name)).scaled(48, 12)))
            menu.addAction(icon, name, lambda name=name: self._model.set_color(row, name))
        return menu

    def _action(self, event: QKeyEvent) -> Callable[[], None] | None:
        """Return what a key does in the table; None for keys that Qt handles."""
        keys = QKeySequence.StandardKey
        for standard, action in (
            (keys.Paste, self.paste),
            (keys.Copy, self.copy),
            (keys.Undo, self._model.stack.undo),
            (keys.Redo, self._model.stack.redo),
        ):
            if event.matches(standard):
                return action
        control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        key, row = event.key(), self.currentIndex().row()
        if control and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            return lambda: self.move(-1 if key == Qt.Key.Key_Up else 1)
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            return self.remove
        plain_enter = key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not control
        if plain_enter and (row < 0 or self.currentIndex().column() == PromptColumn.PROMPT):
            return self.add
        return None

    def _on_entered(self, row: int) -> None:
        """Continue in the row below, as when writing a list."""
        if row == len(self._model.rows) - 1:
            self.add()
        else:
            self._go_to(row + 1)
            self.setFocus()

    def _row_of(self, key: str) -> int | None:
        """Return the number of the row that has a key now."""
        keys = [row.key for row in self._model.rows]
        return keys.index(key) if key in keys else None

    def _go_to(self, row: int) -> None:
        self.setCurrentIndex(self._model.index(row, PromptColumn.PROMPT))

    def _set_columns(self, style: Callable[[], LayerStyle]) -> None:
        bar, solo = BarCell(self), SoloCell(self)
        rows, words = self._model, PromptCell(self)
        color = ColorCell(lambda row: style().colormap(rows.rows[row].key), self)
        solo.pressed.connect(lambda row: self._model.solo.emit(self._model.rows[row].key))
        color.pressed.connect(self.choose_color)
        words.written.connect(self._model.rewrite)
        for column, delegate in (
            (PromptColumn.SOLO, solo),
            (PromptColumn.COLOR, color),
            (PromptColumn.PROMPT, words),
            (PromptColumn.SIMILARITY, bar),
            (PromptColumn.CURSOR, bar),
        ):
            self.setItemDelegateForColumn(column, delegate)
        header = self.horizontalHeader()
        header.setMinimumSectionSize(16)
        header.setHighlightSections(False)
        for column, width in WIDTHS.items():
            self.setColumnWidth(column, width)
        header.setSectionResizeMode(PromptColumn.PROMPT, QHeaderView.ResizeMode.Stretch)
