"""The prompt table on screen: keys, drops and columns; knows no layers."""

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
    PromptColumn.COLOUR: 26,
    PromptColumn.SIMILARITY: 46,
    PromptColumn.HERE: 44,
    PromptColumn.WORTH: 52,
}
WORDS_WIDTH = 130
"""Pixels that the words have at least."""

ROW = 26


class PromptView(QTableView):  # type: ignore[misc] # qtpy ships no types
    """A table of prompts.

    Parameters
    ----------
    model : PromptModel
    colormaps : sequence of str
        To choose from.
    look : callable
        Returns how maps become colours.
    """

    def __init__(
        self,
        model: PromptModel,
        colormaps: Sequence[str],
        look: Callable[[], LayerStyle],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._model, self._colormaps = model, colormaps
        self.setModel(model)
        self.setAccessibleName("Prompts")
        self._set_columns(look)
        self.setSelectionBehavior(self.SelectionBehavior.SelectRows)
        self.setEditTriggers(
            # Not any key: one pressed by mistake would type over a prompt.
            self.EditTrigger.DoubleClicked | self.EditTrigger.EditKeyPressed
        )
        self.setDragDropMode(self.DragDropMode.DragDrop)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setDragDropOverwriteMode(False)
        self.setTabKeyNavigation(False)  # Tab leaves the table: the keyboard is not trapped in it
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW)
        self.setMinimumHeight(ROW * 6 + self.horizontalHeader().sizeHint().height())
        self.setMinimumWidth(sum(WIDTHS.values()) + WORDS_WIDTH)

    def add(self) -> None:
        """Begin a new row, below the current one."""
        current = self.currentIndex()
        self.open(self._model.insert([""], current.row() + 1 if current.isValid() else None))

    def open(self, place: int) -> None:
        """Let a row's words be edited."""
        index = self._model.index(place, PromptColumn.PROMPT)
        self.setCurrentIndex(index)
        self.edit(index)

    def remove(self) -> None:
        """Take the selected rows out."""
        places = {index.row() for index in self.selectionModel().selectedRows()}
        self._model.remove(places)
        if places and self._model.rows:
            self._go_to(min(min(places), len(self._model.rows) - 1))

    def move(self, step: int) -> None:
        """Move the current row up or down."""
        place = self.currentIndex().row()
        to = place + step
        if place >= 0 and 0 <= to < len(self._model.rows):
            self._model.move(place, to)
            self._go_to(to)

    def paste(self) -> None:
        """Add each line of the clipboard as a row, below the current one."""
        if lines := lines_of(QApplication.clipboard().text()):
            current = self.currentIndex()
            self._model.insert(lines, current.row() + 1 if current.isValid() else None)

    def copy(self) -> None:
        """Put the selected prompts on the clipboard, one a line."""
        places = sorted(index.row() for index in self.selectionModel().selectedRows())
        QApplication.clipboard().setText("\n".join(self._model.rows[n].prompt for n in places))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        editing = self.state() == self.State.EditingState
        # A line edit passes Enter on to the table, where it would mean the next row.
        action = None if editing else self._action(event)
        if action is None:
            super().keyPressEvent(event)
        else:
            action()
            event.accept()

    def closeEditor(self, editor: QWidget, hint: object) -> None:  # noqa: N802
        # By its own row: the current one may be another by now.
        key, before = editor.property(KEY), editor.property(BEFORE)
        super().closeEditor(editor, hint)
        place = self._place(key)
        if place is None:
            return
        if hint == PromptCell.EndEditHint.RevertModelCache:
            self._model.rewrite(place, before)
        if not self._model.rows[place].prompt:
            self._model.remove([place])  # begun, and left blank
            if hint != PromptCell.EndEditHint.NoHint:  # by a key, and not for another control
                self.setFocus()
        elif hint == PromptCell.EndEditHint.SubmitModelCache:
            self._on_entered(place)

    def choose_colour(self, place: int) -> None:
        """Offer colormaps for a row."""
        menu = self.colour_menu(place)
        index = self._model.index(place, PromptColumn.COLOUR)
        menu.exec(self.viewport().mapToGlobal(self.visualRect(index).bottomLeft()))

    def colour_menu(self, place: int) -> QMenu:
        """Return the menu of colormaps for a row."""
        menu = QMenu(self)
        menu.addAction("as all", lambda: self._model.colour(place, ""))
        for name in self._colormaps:
            icon = QIcon(QPixmap.fromImage(strip_of(named_colormap(name)).scaled(48, 12)))
            menu.addAction(icon, name, lambda name=name: self._model.colour(place, name))
        return menu

    def _action(self, event: QKeyEvent) -> Callable[[], None] | None:
        """Return what a key does in the table, where it is none of Qt's own."""
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
        key, place = event.key(), self.currentIndex().row()
        if control and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            return lambda: self.move(-1 if key == Qt.Key.Key_Up else 1)
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            return self.remove
        plain_enter = key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not control
        if plain_enter and (place < 0 or self.currentIndex().column() == PromptColumn.PROMPT):
            return self.add
        return None

    def _on_entered(self, place: int) -> None:
        """Go on below, as in a list that is being written."""
        if place == len(self._model.rows) - 1:
            self.add()
        else:
            self._go_to(place + 1)
            self.setFocus()

    def _place(self, key: str) -> int | None:
        """Return which row has a key now."""
        keys = [row.key for row in self._model.rows]
        return keys.index(key) if key in keys else None

    def _go_to(self, place: int) -> None:
        self.setCurrentIndex(self._model.index(place, PromptColumn.PROMPT))

    def _set_columns(self, look: Callable[[], LayerStyle]) -> None:
        bar, solo = BarCell(self), SoloCell(self)
        rows, words = self._model, PromptCell(self)
        colour = ColorCell(lambda place: look().colormap(rows.rows[place].key), self)
        solo.pressed.connect(lambda place: self._model.solo.emit(self._model.rows[place].key))
        colour.pressed.connect(self.choose_colour)
        words.written.connect(self._model.rewrite)
        for column, delegate in (
            (PromptColumn.SOLO, solo),
            (PromptColumn.COLOUR, colour),
            (PromptColumn.PROMPT, words),
            (PromptColumn.SIMILARITY, bar),
            (PromptColumn.HERE, bar),
        ):
            self.setItemDelegateForColumn(column, delegate)
        header = self.horizontalHeader()
        header.setMinimumSectionSize(16)
        header.setHighlightSections(False)
        for column, width in WIDTHS.items():
            self.setColumnWidth(column, width)
        header.setSectionResizeMode(PromptColumn.PROMPT, QHeaderView.ResizeMode.Stretch)
