"""The prompt table on screen: keys, drag and drop, and columns; it knows no layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import QEvent, QItemSelectionModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QIcon, QKeyEvent, QKeySequence, QPixmap
from qtpy.QtWidgets import QApplication, QHeaderView, QMenu, QTableView, QWidget

from napari_clip_heatmap._napari.colormaps import LayerStyle, named_colormap
from napari_clip_heatmap._napari.views.prompt_cells import (
    BEFORE,
    HEADS,
    KEY,
    BarCell,
    ColorCell,
    PromptCell,
    PromptColumn,
    strip_of,
)
from napari_clip_heatmap._napari.views.prompt_model import PromptModel, lines_of

__all__ = ["PromptView"]

SAMPLES = {
    PromptColumn.SHOWN: "M",
    PromptColumn.COLOR: "MM",
    PromptColumn.SIMILARITY: "-0.000",
    PromptColumn.CURSOR: "100 %",
    PromptColumn.VERDICT: "doubtful",
    PromptColumn.COUNT: "00000",
}
"""The widest text of each column, which its head must fit too."""

WORDS_WIDTH = "actin filaments"
"""What must at least be legible of a prompt."""

SPARE = 12
"""Pixels to the left and right of a cell's text."""

LEAST_ROWS, MOST_ROWS = 3, 8
"""Rows that are visible at least and at most without scrolling."""


class PromptView(QTableView):  # type: ignore[misc] # qtpy ships no types
    """A table of prompts.

    Parameters
    ----------
    model : PromptModel
    colormaps : sequence of str
        To choose from.
    style : callable
        Returns how maps become colors.

    Signals
    -------
    chosen : key
        The user made another row the current one.
    """

    chosen = Signal(str)

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
        self._current = ""
        model.modelReset.connect(self._on_reset)
        model.counting.connect(self._show_counts)
        self._show_counts(False)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def currentChanged(self, current: QModelIndex, previous: QModelIndex) -> None:  # noqa: N802
        super().currentChanged(current, previous)
        if current.isValid():
            key = self._model.rows[current.row()].key
            if key != self._current:
                self._current = key
                self.chosen.emit(key)

    def show_current(self, key: str) -> None:
        """Make a row the current one; none where there is no such row."""
        self._current = key
        row = self._row_of(key)
        if row is not None and self.currentIndex().row() != row:
            self._go_to(row)

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

    def toggle(self) -> None:
        """Show or hide the map of the current row."""
        index = self._model.index(self.currentIndex().row(), PromptColumn.SHOWN)
        role = Qt.ItemDataRole.CheckStateRole
        if index.isValid():
            shown = index.data(role) == Qt.CheckState.Checked
            self._model.setData(
                index, Qt.CheckState.Unchecked if shown else Qt.CheckState.Checked, role
            )

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
        # Not exec: a nested event loop would let the table change beneath this call.
        menu.popup(self.viewport().mapToGlobal(self.visualRect(index).bottomLeft()))

    def color_menu(self, row: int) -> QMenu:
        """Return the menu of colormaps for a row."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
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
        if key == Qt.Key.Key_Space and self.currentIndex().column() != PromptColumn.COLOR:
            return self.toggle
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
        # Not setCurrentIndex: with Ctrl held it would toggle the row's selection.
        flags = QItemSelectionModel.SelectionFlag
        self.selectionModel().setCurrentIndex(
            self._model.index(row, PromptColumn.PROMPT), flags.ClearAndSelect | flags.Rows
        )

    def _set_columns(self, style: Callable[[], LayerStyle]) -> None:
        bar = BarCell(self)
        rows, words = self._model, PromptCell(self)
        color = ColorCell(lambda row: style().colormap(rows.rows[row].key), self)
        color.pressed.connect(self.choose_color)
        words.written.connect(self._model.rewrite)
        for column, delegate in (
            (PromptColumn.COLOR, color),
            (PromptColumn.PROMPT, words),
            (PromptColumn.SIMILARITY, bar),
            (PromptColumn.CURSOR, bar),
        ):
            self.setItemDelegateForColumn(column, delegate)
        header = self.horizontalHeader()
        header.setMinimumSectionSize(16)
        header.setHighlightSections(False)
        header.setSectionResizeMode(PromptColumn.PROMPT, QHeaderView.ResizeMode.Stretch)

    def _show_counts(self, counting: bool) -> None:
        """Let counts take the place of the values under the cursor: there is no room for both."""
        shown, hidden = PromptColumn.COUNT, PromptColumn.CURSOR
        if not counting:
            shown, hidden = hidden, shown
        self.setColumnHidden(hidden, True)
        self.setColumnHidden(shown, False)
        self._fit()
        # Lets the words' column have what is left, which Qt does not work out again by itself.
        self.horizontalHeader().setSectionResizeMode(
            PromptColumn.PROMPT, QHeaderView.ResizeMode.Stretch
        )

    def _on_reset(self) -> None:
        row = self._row_of(self._current)
        if row is not None:
            self._go_to(row)
        self._fit()

    def _fit(self) -> None:
        """Be as high as the rows, and give each column the width of its widest text."""
        metrics = self.fontMetrics()
        row = metrics.height() + 8
        self.verticalHeader().setDefaultSectionSize(row)
        shown = min(max(len(self._model.rows), LEAST_ROWS), MOST_ROWS)
        head = self.horizontalHeader().sizeHint().height()
        self.setFixedHeight(shown * row + head + 2 * self.frameWidth())
        widths: dict[PromptColumn, int] = {}
        for column, sample in SAMPLES.items():
            texts = (sample, *HEADS[column][0].splitlines())
            width = max(metrics.horizontalAdvance(text) for text in texts) + SPARE
            self.setColumnWidth(column, width)
            widths[column] = width
        # One of the two is hidden.
        either = (PromptColumn.CURSOR, PromptColumn.COUNT)
        taken = sum(width for column, width in widths.items() if column not in either)
        taken += max(widths[column] for column in either)
        self.setMinimumWidth(taken + metrics.horizontalAdvance(WORDS_WIDTH) + SPARE)
