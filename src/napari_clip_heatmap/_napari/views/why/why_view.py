"""What the section Why here shows: the value, the grid of layers and heads, and what to do."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_clip_heatmap._napari.views.annotation.on_screen import OnScreen
from napari_clip_heatmap._napari.views.file_choice import choose_file
from napari_clip_heatmap._napari.views.why.head_grid import GridFigures, HeadGrid

__all__ = ["WhyView"]

ALONE, LEFT_OUT = "show selected heads alone", "leave selected heads out"


class WhyView(OnScreen):
    """Texts around a grid; it decides nothing.

    Signals
    -------
    changed
        The user selected other heads, or what is to be done with them.
    cancel_requested
    words_chosen : str
        Path of a list of words to describe the heads by.
    """

    changed = Signal()
    words_chosen = Signal(str)
    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.value = _text()
        self.grid = HeadGrid()
        self.hover = _text()
        self.hover.setMinimumHeight(self.hover.fontMetrics().lineSpacing())
        self.mode = QComboBox()
        self.mode.addItems([ALONE, LEFT_OUT])
        self.mode.setAccessibleName("What to do with the selected heads")
        self.mode.setToolTip(
            "alone: a layer with the sum of these heads' maps. leave out: the map of all others; "
            "only what the heads add themselves is left out, not what later layers make of it."
        )
        self.words = QPushButton("Words\N{HORIZONTAL ELLIPSIS}")  # longer, it widens the dock
        self.words.setToolTip(
            "Find out what each head looks for: the words of a list along which it varies most "
            "over the open images. Choose a text file with one word a line; hundreds are good."
        )
        self.words.clicked.connect(self._choose_words)
        self.cancel = QPushButton("Cancel")
        self.cancel.setVisible(False)
        self.outcome = _text()
        line = QHBoxLayout()
        line.addWidget(self.mode, stretch=1)
        line.addWidget(self.words)
        line.addWidget(self.cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for part in (self.value, self.grid, self.hover):
            column.addWidget(part)
        column.addLayout(line)
        column.addWidget(self.outcome)
        self.grid.selection_changed.connect(self.changed)
        self.grid.hovered.connect(self.hover.setText)
        self.mode.currentTextChanged.connect(self._on_mode)
        self.cancel.clicked.connect(self.cancel_requested)

    @property
    def leaves_out(self) -> bool:
        """Whether the selected heads are to be left out, instead of shown alone."""
        return bool(self.mode.currentText() == LEFT_OUT)

    def show_value(self, text: str, figures: GridFigures | None) -> None:
        """Show a text and the grid below it; without figures the text says why."""
        self.value.setText(text)
        self.grid.show_figures(figures)
        self.mode.setVisible(figures is not None)
        self.words.setVisible(figures is not None)
        self.hover.setVisible(figures is not None)

    def show_outcome(self, text: str, *, busy: bool = False) -> None:
        """Show what was done with the selected heads, or how far it is."""
        self.outcome.setText(text)
        self.cancel.setVisible(busy)
        self.words.setVisible(not busy and self.grid.figures is not None)

    def _choose_words(self) -> None:
        choose_file(self, "Words", self.words_chosen.emit, filters="Text (*.txt);;All files (*)")

    def _on_mode(self, _text: str) -> None:
        self.grid.show_left_out(self.leaves_out)
        self.changed.emit()


def _text() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignTop)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
