"""The dialog for choosing a model: a search, a table, a description and buttons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
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

from napari_clip_heatmap._napari.views.file_choice import choose_file
from napari_clip_heatmap._napari.views.model_table import FilteredModels, ModelColumn

__all__ = ["ModelDialog"]

WIDTHS = {
    ModelColumn.MODEL: 280,
    ModelColumn.SIZE: 80,
    ModelColumn.PIXELS: 60,
    ModelColumn.PATCH: 60,
    ModelColumn.SPEED: 55,
    ModelColumn.MEASURED: 75,
    ModelColumn.HERE: 50,
    ModelColumn.LICENCE: 280,
    ModelColumn.DATA: 230,
}
FILES = "Weights (*.safetensors *.pt *.pth *.bin)"
SIZE = (1200, 640)
LINES = 5
"""Lines kept free for the description of a model, so that the table keeps its height."""

BUTTON = 80
"""Least width of a button, in pixels."""

STEPS = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
"""Keys that move through the table also while the search has the focus."""


class ModelDialog(QDialog):  # type: ignore[misc] # qtpy ships no types
    """The dialog's controls. What they do is up to `ModelChooser`.

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
        self.asked = _text("Question about the weights")
        self.forget = _button("Forget it", "Choose a model from the list, without that file.")
        self.table = _table(shown)
        self.about = _text("About the model")
        self.about.setMinimumHeight(LINES * self.about.fontMetrics().lineSpacing())
        self.progress = _named(QProgressBar(), "Progress", "How far the work is.")
        self.cancel = _button("Cancel", _CANCEL)
        self.status = _text("What happened")
        self.open_file = _button("Open a file\N{HORIZONTAL ELLIPSIS}", _FILE)
        self.open_folder = _button("Open a folder\N{HORIZONTAL ELLIPSIS}", _FOLDER)
        self.measure = _button("Measure", _MEASURE)
        self.download = _button("Download", _DOWNLOAD)
        self.use = _button("Use", "Use the selected model (Enter).")
        self.leave = _button("Close", _CLOSE)
        self.use.setDefault(True)
        self._arrange()
        self.leave.clicked.connect(self.reject)
        self.resize(*SIZE)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        # Keys that the focused search does not use arrive here.
        if self.focusWidget() is self.search and event.key() in STEPS:
            self.table.keyPressEvent(event)
        else:
            super().keyPressEvent(event)

    def show_search(self) -> None:
        """Come to the front, ready for words to be typed; Enter then means Use."""
        self.show()
        self.raise_()
        self.activateWindow()
        self.search.setFocus()
        self.search.selectAll()
        # A button that had the focus when the dialog was closed would stay the default one.
        self.use.setDefault(True)

    def ask_for_file(self, chosen: Callable[[Path], object]) -> None:
        """Let the user pick a file of weights, and hand it on unless they cancel."""
        choose_file(self, "Open a file of weights", lambda path: chosen(Path(path)), filters=FILES)

    def ask_for_folder(self, chosen: Callable[[Path], object]) -> None:
        """Let the user pick a model folder, and hand it on unless they cancel."""
        choose_file(self, "Open a model folder", lambda path: chosen(Path(path)), folder=True)

    def set_working(self, running: bool) -> None:
        """Show or hide the progress bar and its Cancel button, of a download or a measurement."""
        if self.focusWidget() in (self.download, self.measure, self.cancel):
            # Of a button that is disabled or hidden, Qt hands the focus on to the next button, and
            # a press of Space would do something else.
            self.table.setFocus()
        for part in (self.progress, self.cancel):
            part.setVisible(running)
        self.cancel.setEnabled(running)
        self.progress.setRange(0, 0)

    def set_asking(self, question: str) -> None:
        """Show a question about the weights in a file; an empty text hides it."""
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
        for button in (self.measure, self.download, self.use, self.leave):
            last.addWidget(button)
        column.addLayout(last)
        self.set_working(False)
        self.set_asking("")


_SEARCH = (
    "Words to find in a model's name, training data, license or note. The arrow keys move through "
    "the table, Enter uses the selected model."
)
_HERE = "Show only models that need no download."
_FILE = (
    "Your own weights: .safetensors, .pt, .pth or .bin. You are asked which preprocessing belongs "
    "to them if the file does not state it."
)
_FOLDER = "A model folder, as written by open_clip or the transformers library."
_CANCEL = "Stop. What has been downloaded is kept, and Download continues from there."
_CLOSE = "Close without choosing (Esc). A running download stops; what has come is kept."
_MEASURE = (
    "Measure how long a model like the selected one takes on this machine, with the device and "
    "precision of the dock. Its speed does not depend on its weights, so nothing is downloaded."
)
_DOWNLOAD = "Download the selected model now, with its tokenizer."


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
    # In the order of the catalog, until a column is chosen.
    header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
    table.setSortingEnabled(True)
    return table


def _row(*parts: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for part in parts:
        row.addWidget(part)
    return row


def _text(name: str) -> QLabel:
    """Return a label whose text breaks into lines and can be copied."""
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
