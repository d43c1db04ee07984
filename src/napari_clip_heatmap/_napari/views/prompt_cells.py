"""How the cells of the prompt table are painted and edited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

import numpy as np
from napari.utils.colormaps import ensure_colormap
from qtpy.QtCore import QEvent, QModelIndex, QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPalette
from qtpy.QtWidgets import QLineEdit, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from napari_clip_heatmap.pipeline.verdicts import Verdict

__all__ = [
    "BAR",
    "BEFORE",
    "HEADS",
    "KEY",
    "SOLO_SIGN",
    "WORDS",
    "BarCell",
    "ColorCell",
    "PromptCell",
    "PromptColumn",
    "SoloCell",
    "strip_of",
]


MARGIN = 3

KEY, BEFORE = "clip_heatmap_row", "clip_heatmap_before"
"""What an editor remembers: its row, and the words that Escape brings back."""


class BarCell(QStyledItemDelegate):  # type: ignore[misc] # qtpy ships no types
    """A number with a bar behind it."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        super().paint(painter, option, index)
        length = index.data(BAR)
        if length is not None:
            # Over the cell, so that it is seen on a selected row too; the number shows through.
            colour = QColor(option.palette.color(QPalette.ColorRole.Text))
            colour.setAlpha(60)
            box = option.rect.adjusted(1, MARGIN, -1, -MARGIN)
            width = max(1, round(box.width() * min(max(length, 0.0), 1.0)))
            painter.fillRect(QRect(box.left(), box.top(), width, box.height()), colour)


class SoloCell(QStyledItemDelegate):  # type: ignore[misc] # qtpy ships no types
    """A letter that lights up."""

    pressed = Signal(int)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        if index.data(BAR):
            painter.fillRect(option.rect.adjusted(2, 2, -2, -2), QColor("#e8a33d"))
        super().paint(painter, option, index)

    def editorEvent(self, event: QEvent, model: Any, option: Any, index: QModelIndex) -> bool:  # noqa: N802
        if _chosen(event):
            self.pressed.emit(index.row())
            return True
        return False


class ColorCell(SoloCell):
    """A strip of the row's colours."""

    def __init__(self, colormap: Callable[[int], object], parent: QWidget) -> None:
        super().__init__(parent)
        self._colormap = colormap

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        strip = strip_of(self._colormap(index.row()))
        painter.drawImage(option.rect.adjusted(2, MARGIN, -2, -MARGIN), strip)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(option.palette.color(QPalette.ColorRole.Text))
            painter.drawRect(option.rect.adjusted(1, 1, -2, -2))


class PromptCell(QStyledItemDelegate):  # type: ignore[misc] # qtpy ships no types
    """Words that are told of letter by letter while they are typed."""

    written = Signal(int, str)

    def createEditor(self, parent: QWidget, option: Any, index: QModelIndex) -> QWidget:  # noqa: N802
        editor = QLineEdit(parent)
        editor.setFrame(False)
        editor.setPlaceholderText("such as: nuclei | cell nuclei")
        place = index.row()
        editor.setProperty(KEY, index.model().rows[place].key)
        editor.setProperty(BEFORE, index.data())
        editor.textEdited.connect(lambda text: self.written.emit(place, text.strip()))
        return editor

    def setEditorData(self, editor: QWidget, index: QModelIndex) -> None:  # noqa: N802
        # Also called when the model tells of what was just typed: the cursor must stay.
        if editor.text().strip() != index.data():
            editor.setText(index.data())

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # noqa: N802
        return super().sizeHint(option, index).expandedTo(QSize(60, 24))


def strip_of(colormap: Any) -> QImage:
    """Return a colormap from low to high, as a picture one pixel high."""
    colours = ensure_colormap(colormap).map(np.linspace(0, 1, 64, dtype=np.float32))
    pixels = np.ascontiguousarray(np.rint(255 * colours[None, :, :4]), np.uint8)
    return QImage(pixels.tobytes(), 64, 1, 4 * 64, QImage.Format.Format_RGBA8888).copy()


def _chosen(event: QEvent) -> bool:
    """Whether a click or a key says yes to a cell."""
    if event.type() == QEvent.Type.MouseButtonRelease:
        return bool(event.button() == Qt.MouseButton.LeftButton)
    if event.type() == QEvent.Type.KeyPress:
        return event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter)
    return False


BAR = Qt.ItemDataRole.UserRole
"""A length of 0..1 to be drawn behind a cell's text."""


class PromptColumn(IntEnum):
    """What a row shows, from left to right."""

    SHOWN = 0
    SOLO = 1
    COLOUR = 2
    PROMPT = 3
    SIMILARITY = 4
    HERE = 5
    WORTH = 6


HEADS: Mapping[PromptColumn, tuple[str, str]] = {
    PromptColumn.SHOWN: ("", "Show or hide this prompt's layer (Space)."),
    PromptColumn.SOLO: (
        "",
        "Show this prompt's layer alone; once more shows the others again (Space).",
    ),
    PromptColumn.COLOUR: ("", "The layer's colours; click, or Space, for a choice."),
    PromptColumn.PROMPT: (
        "Prompt",
        (
            "What to look for. Names of one thing: nuclei | cell nuclei. A contrast: "
            "nuclei - background.\nF2 edits, Escape takes back, Enter adds the next, Delete "
            "removes, Ctrl+Up and Ctrl+Down move, Ctrl+V pastes many, Ctrl+Z undoes; rows can be "
            "dragged."
        ),
    ),
    PromptColumn.SIMILARITY: (
        "Image",
        (
            "How similar the whole image is to the prompt: the mean cosine over tiles. The bar "
            "runs from the least to the most similar prompt of the table."
        ),
    ),
    PromptColumn.HERE: (
        "Here",
        (
            "Where the value beneath the cursor lies between the map's least and its most; the "
            "values themselves are in the status bar."
        ),
    ),
    PromptColumn.WORTH: ("Worth", "Whether the map depends on the words; hover for the figures."),
}

SOLO_SIGN = "S"

WORDS = {
    Verdict.CLEAR: ("clear", "#3fa34d"),
    Verdict.WEAK: ("weak", "#c98a1b"),
    Verdict.HARDLY: ("hardly", "#d9534f"),
    Verdict.NOTHING: ("nothing", "#8a8a8a"),
}
"""A verdict in a word, and in a colour that is read on dark and on light."""
