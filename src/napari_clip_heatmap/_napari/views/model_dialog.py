"""The chooser on screen: a search, a table, what is known of a model, and what can be done."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_clip_heatmap._napari.views.model_table import FilteredModels, ModelColumn

__all__ = ["ModelDialog"]

WIDTHS = {
    ModelColumn.MODEL: 280,
    ModelColumn.SIZE: 80,
    ModelColumn.PIXELS: 60,
    ModelColumn.PATCH: 60,
    ModelColumn.HERE: 50,
    ModelColumn.LICENCE: 280,
    ModelColumn.DATA: 230,
}
SIZE = (1200, 640)
LINES = 5
"""Room for what is said of a model, so that the table stays as it is from row to row."""

BUTTON = 80
"""Pixels that a button is wide at least."""

STEPS = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
"""Keys that go through the table also while the search is typed."""


class ModelDialog(QDialog):  # type: ignore[misc] # qtpy ships no types
    """The controls; knows no model and does nothing by itself.

    Parameters
    ----------
    shown : FilteredModels
        The rows.
    parent : QWidget
    """

    def __init__(self, shown: FilteredModels, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Choose a model")
        self.search = _named(QLineEdit(), "Search", _SEARCH)
        self.search.setPlaceholderText("Search, such as: pathology, or ViT-L laion2b")
        self.search.setClearButtonEnabled(True)
        self.here = _named(QCheckBox("Only on this machine"), "Only on this machine", _HERE)
        self.asked = _text("What the weights are like")
        self.forget = _button("Forget it", "Choose a model of the list as it is, not that file.")
        self.table = _table(shown)
        self.about = _text("About the model")
        self.about.setMinimumHeight(LINES * self.about.fontMetrics().lineSpacing())
        self.progress = _named(QProgressBar(), "Download", "Megabytes that are here.")
        self.cancel = _button("Cancel", "Stop; what has come is kept, Download goes on from there.")
        self.status = _text("What happened")
        self.open_file = _button("Open a file\N{HORIZONTAL ELLIPSIS}", _FILE)
        self.open_folder = _button("Open a folder\N{HORIZONTAL ELLIPSIS}", _FOLDER)
        self.download = _button("Download", _DOWNLOAD)
        self.use = _button("Use", "Take the selected model into the widget (Enter).")
        self.leave = _button("Close", "Choose nothing (Esc); a download stops, and is kept.")
        self.use.setDefault(True)
        self._arrange()
        self.leave.clicked.connect(self.reject)
        self.resize(*SIZE)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        # Keys that a focused line of text has no use for arrive here.
        if self.search.hasFocus() and event.key() in STEPS:
            self.table.keyPressEvent(event)
        else:
            super().keyPressEvent(event)

    def show_search(self) -> None:
        """Come to the front, ready for words to be typed."""
        self.show()
        self.raise_()
        self.activateWindow()
        self.search.setFocus()
        self.search.selectAll()

    def set_downloading(self, running: bool) -> None:
        """Show the bar and its button, or not."""
        for part in (self.progress, self.cancel):
            part.setVisible(running)
        self.cancel.setEnabled(running)
        self.progress.setRange(0, 0)

    def set_asking(self, question: str) -> None:
        """Ask what the weights in a file are like; or, with no words, ask nothing."""
        self.asked.setText(question)
        for part in (self.asked, self.forget):
            part.setVisible(bool(question))

    def _arrange(self) -> None:
        column = QVBoxLayout(self)
        column.addLayout(_row(self.search, self.here))
        column.addLayout(_row(self.asked, self.forget))
        column.addWidget(self.table, stretch=1)
        column.addWidget(self.about)
        column.addLayout(_row(self.progress, self.cancel))
        column.addWidget(self.status)
        last = _row(self.open_file, self.open_folder)
        last.addStretch()
        for button in (self.download, self.use, self.leave):
            last.addWidget(button)
        column.addLayout(last)
        self.set_downloading(False)
        self.set_asking("")


_SEARCH = (
    "Words that are all in a model's name, training data, licence or note. Arrow keys go through "
    "the table, Enter uses the selected model."
)
_HERE = "Show only models that need no download."
_FILE = (
    "Weights of your own: .safetensors, .pt, .pth or .bin. Where the file does not say which "
    "preprocessing belongs to them, you are asked."
)
_FOLDER = "A model folder, as open_clip or the transformers library writes it."
_DOWNLOAD = "Bring the selected model to this machine now, with its tokenizer."


def _table(shown: FilteredModels) -> QTableView:
    table = _named(QTableView(), "Models", "Models that can be decomposed; Enter uses one.")
    table.setModel(shown)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setTabKeyNavigation(False)  # Tab leaves the table: the keyboard is not trapped in it
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.verticalHeader().hide()
    header = table.horizontalHeader()
    header.setHighlightSections(False)
    header.setSectionResizeMode(ModelColumn.NOTE, QHeaderView.ResizeMode.Stretch)
    for each, width in WIDTHS.items():
        table.setColumnWidth(each, width)
    # As the catalogue has them, until a column is chosen.
    header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
    table.setSortingEnabled(True)
    return table


def _row(*parts: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for part in parts:
        row.addWidget(part)
    return row


def _text(name: str) -> QLabel:
    """Return room for words, which break into lines and can be copied."""
    label = QLabel()
    label.setAccessibleName(name)
    label.setAlignment(Qt.AlignmentFlag.AlignTop)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _button(text: str, tooltip: str) -> QPushButton:
    button = QPushButton(text)
    button.setMinimumWidth(BUTTON)
    return _named(button, text.strip("\N{HORIZONTAL ELLIPSIS}"), tooltip)


def _named(part: Any, name: str, tooltip: str) -> Any:
    part.setAccessibleName(name)
    part.setToolTip(tooltip)
    return part
