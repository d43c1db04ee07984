"""The objects of a layer and their names: a table as long as need be, and buttons below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_clip_heatmap._napari.views.annotation.file_filters import choose_objects_file
from napari_clip_heatmap._napari.views.annotation.make_buttons import FRAME
from napari_clip_heatmap._napari.views.annotation.on_screen import OnScreen
from napari_clip_heatmap._napari.views.prompt_cells import TRUST_COLORS
from napari_clip_heatmap.annotation.palette import distinct_color
from napari_clip_heatmap.pipeline.trust import Trust

__all__ = ["ClassRows", "ClassTable"]

ROWS = 7
ROW = 22
HEADS = ("Label", "Prompt", "Score", "Margin", "Trust")
TRUST_ORDER = (Trust.NONE, Trust.UNKNOWN, Trust.DOUBTFUL, Trust.GOOD)
"""From the least to the most, to sort by."""


class ClassRows(QAbstractTableModel):  # type: ignore[misc] # qtpy ships no types
    """One row per object; it can be sorted by any column."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._columns: tuple[NDArray[Any], ...] = ()
        self._classes: NDArray[np.intp] = np.zeros(0, np.intp)
        self._order = np.zeros(0, np.intp)
        self.dark = True

    def become(self, columns: Sequence[NDArray[Any]], classes: NDArray[np.intp]) -> None:
        """Show columns as `HEADS` names them, and the number of each object's class."""
        self.beginResetModel()
        self._columns, self._classes = tuple(columns), classes
        self._order = np.arange(len(columns[0]) if columns else 0)
        self.endResetModel()

    def label_of(self, row: int) -> int:
        """Return the label in a row."""
        return int(self._columns[0][self._order[row]])

    def row_of(self, label: int) -> int | None:
        """Return the row of a label, if it has one."""
        if not self._columns:
            return None
        found = np.flatnonzero(self._columns[0][self._order] == label)
        return int(found[0]) if found.size else None

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        return 0 if parent is not None and parent.isValid() else len(self._order)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        return 0 if parent is not None and parent.isValid() else len(HEADS)

    def headerData(self, section: int, orientation: Any, role: int) -> Any:  # noqa: N802
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return HEADS[section]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        number = self._order[index.row()]
        value = self._columns[index.column()][number]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            if isinstance(value, float | np.floating):
                return f"{value:.2f}" if np.isfinite(value) else "-"
            return str(value)
        if role == Qt.ItemDataRole.DecorationRole and HEADS[index.column()] == "Prompt":
            return QColor(*distinct_color(int(self._classes[number])))
        if role == Qt.ItemDataRole.ForegroundRole and HEADS[index.column()] == "Trust":
            return QColor(TRUST_COLORS[Trust(value)][0 if self.dark else 1])
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        if not self._columns:
            return
        self.layoutAboutToBeChanged.emit()
        values = self._columns[column]
        if HEADS[column] == "Trust":
            values = np.array([TRUST_ORDER.index(Trust(each)) for each in values], np.intp)
        self._order = np.argsort(values, kind="stable")
        if order == Qt.SortOrder.DescendingOrder:
            self._order = self._order[::-1]
        self.layoutChanged.emit()


class ClassTable(OnScreen):
    """The table; it is hidden while there is nothing in it.

    Signals
    -------
    selected : int
        The user chose the row of a label.
    centered : int
        The user double-clicked it.
    table_requested
        The user wants napari's own table of the layer's features.
    gated_requested
        The user wants a layer of the objects that pass the gate.
    export_requested : str
        The path that the user chose.
    """

    selected = Signal(int)
    centered = Signal(int)
    table_requested = Signal()
    gated_requested = Signal()
    export_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = ClassRows(self)
        self.view = QTableView()
        self.view.setTabKeyNavigation(False)  # so that Tab leaves the table
        self.view.setModel(self.rows)
        self.view.setAccessibleName("Objects and their names")
        self.view.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        self.view.setSortingEnabled(True)
        self.view.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.view.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        for column, width in ((0, 54), (2, 50), (3, 54), (4, 70)):
            self.view.setColumnWidth(column, width)
        self.view.verticalHeader().hide()
        self.view.verticalHeader().setDefaultSectionSize(ROW)
        self.view.setMinimumHeight(ROWS * ROW)
        self.view.selectionModel().currentRowChanged.connect(self._on_row)
        self.view.doubleClicked.connect(
            lambda index: self.centered.emit(self.rows.label_of(index.row()))
        )
        self._busy = False
        self.body = QWidget()
        inner = QVBoxLayout(self.body)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self.view)
        inner.addLayout(self._buttons())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.body)
        self.body.setVisible(False)

    def show_objects(self, columns: Sequence[NDArray[Any]], classes: NDArray[np.intp]) -> None:
        """Show objects, in columns as `HEADS` names them; none hide the table."""
        self.rows.become(columns, classes)
        self.body.setVisible(bool(columns))

    def set_dark(self, dark: bool) -> None:
        """Take colors that can be read on a dark or a light background."""
        self.rows.dark = dark
        self.view.viewport().update()

    def select(self, label: int) -> None:
        """Select the row of a label, and scroll to it; that is not reported back."""
        row = self.rows.row_of(label)
        self._busy = True
        if row is None:
            self.view.clearSelection()
        else:
            index = self.rows.index(row, 0)
            self.view.selectRow(row)
            self.view.scrollTo(index)
        self._busy = False

    def _on_row(self, current: QModelIndex, _before: QModelIndex) -> None:
        if current.isValid() and not self._busy:
            self.selected.emit(self.rows.label_of(current.row()))

    def _buttons(self) -> QHBoxLayout:
        line = QHBoxLayout()
        for text, tooltip, slot in (
            ("All features", "Open napari's table of all features.", self.table_requested.emit),
            (
                "Passing to Labels",
                "Make a Labels layer of the objects that pass the gate.",
                self.gated_requested.emit,
            ),
            ("Export\N{HORIZONTAL ELLIPSIS}", "Write the objects to a file.", self._choose_export),
        ):
            button = QToolButton()
            button.setText(text)
            button.setToolTip(tooltip)
            button.setStyleSheet(FRAME)
            button.clicked.connect(slot)
            line.addWidget(button)
        line.addStretch()
        return line

    def _choose_export(self) -> None:
        choose_objects_file(self, self.export_requested.emit, "classified.csv")
