"""How the cells of the prompt table are painted and edited, and which columns there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

import numpy as np
from napari.utils.colormaps import ensure_colormap
from qtpy.QtCore import QEvent, QModelIndex, QRect, QSize, Qt, Signal
from qtpy.QtGui import QBrush, QColor, QImage, QPainter, QPalette
from qtpy.QtWidgets import QLineEdit, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from napari_clip_heatmap._napari.state import FAINTNESS
from napari_clip_heatmap.pipeline.trust import Trust

__all__ = [
    "BAR",
    "BEFORE",
    "HEADS",
    "KEY",
    "SWATCH",
    "TRUST",
    "TRUST_COLORS",
    "BarCell",
    "ColorCell",
    "PromptCell",
    "PromptColumn",
    "strip_of",
]


MARGIN = 3

KEY, BEFORE = "clip_heatmap_row", "clip_heatmap_before"
"""Properties of an editor: the key of its row, and the words that Escape restores."""


class BarCell(QStyledItemDelegate):  # type: ignore[misc] # qtpy ships no types
    """A number with a bar behind it."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        super().paint(painter, option, index)
        length = index.data(BAR)
        if length is not None:
            # Drawn over the cell, to be visible on a selected row too; the number shows through.
            color = QColor(option.palette.color(QPalette.ColorRole.Text))
            color.setAlpha(60)
            box = option.rect.adjusted(1, MARGIN, -1, -MARGIN)
            width = max(1, round(box.width() * min(max(length, 0.0), 1.0)))
            painter.fillRect(QRect(box.left(), box.top(), width, box.height()), color)


class ColorCell(QStyledItemDelegate):  # type: ignore[misc] # qtpy ships no types
    """A strip of the row's colors; hatched where the map is not to be trusted."""

    pressed = Signal(int)

    def __init__(self, colormap: Callable[[int], object], parent: QWidget) -> None:
        super().__init__(parent)
        self._colormap = colormap

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        box = option.rect.adjusted(2, MARGIN, -2, -MARGIN)
        if swatch := index.data(SWATCH):
            painter.fillRect(box, QColor(swatch))
        else:
            painter.drawImage(box, strip_of(self._colormap(index.row())))
        if index.data(TRUST) in FAINTNESS:
            painter.fillRect(box, QBrush(QColor("black"), Qt.BrushStyle.BDiagPattern))
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(option.palette.color(QPalette.ColorRole.Text))
            painter.drawRect(option.rect.adjusted(1, 1, -2, -2))

    def editorEvent(self, event: QEvent, model: Any, option: Any, index: QModelIndex) -> bool:  # noqa: N802
        if _chosen(event):
            self.pressed.emit(index.row())
            return True
        return False


class PromptCell(QStyledItemDelegate):  # type: ignore[misc] # qtpy ships no types
    """Words; each letter that is typed emits a signal."""

    written = Signal(int, str)

    def createEditor(self, parent: QWidget, option: Any, index: QModelIndex) -> QWidget:  # noqa: N802
        editor = QLineEdit(parent)
        editor.setFrame(False)
        editor.setPlaceholderText("such as: nuclei | cell nuclei")
        row = index.row()
        editor.setProperty(KEY, index.model().rows[row].key)
        editor.setProperty(BEFORE, index.data(Qt.ItemDataRole.EditRole))
        editor.textEdited.connect(lambda text: self.written.emit(row, text.strip()))
        return editor

    def setEditorData(self, editor: QWidget, index: QModelIndex) -> None:  # noqa: N802
        # Also called for what was just typed, where the cursor must stay.
        words = index.data(Qt.ItemDataRole.EditRole)
        if editor.text().strip() != words:
            editor.setText(words)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # noqa: N802
        return super().sizeHint(option, index).expandedTo(QSize(60, 24))


def strip_of(colormap: Any) -> QImage:
    """Return a colormap from low to high as an image of one row of pixels."""
    colors = ensure_colormap(colormap).map(np.linspace(0, 1, 64, dtype=np.float32))
    pixels = np.ascontiguousarray(np.rint(255 * colors[None, :, :4]), np.uint8)
    return QImage(pixels.tobytes(), 64, 1, 4 * 64, QImage.Format.Format_RGBA8888).copy()


def _chosen(event: QEvent) -> bool:
    """Whether an event is a click on a cell, or a key that stands for one."""
    if event.type() == QEvent.Type.MouseButtonRelease:
        return bool(event.button() == Qt.MouseButton.LeftButton)
    if event.type() == QEvent.Type.KeyPress:
        return event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter)
    return False


BAR = Qt.ItemDataRole.UserRole
"""Role of the length, 0..1, of the bar behind a cell's text."""


TRUST = Qt.ItemDataRole.UserRole + 1
"""Role of a row's `Trust`, in every column."""

SWATCH = Qt.ItemDataRole.UserRole + 2
"""Role of the one color that stands for a row, in every column; None where its colormap does."""


class PromptColumn(IntEnum):
    """What a row shows, from left to right."""

    SHOWN = 0
    COLOR = 1
    PROMPT = 2
    SIMILARITY = 3
    CURSOR = 4
    VERDICT = 5
    COUNT = 6


HEADS: Mapping[PromptColumn, tuple[str, str]] = {
    PromptColumn.SHOWN: (
        "",
        "Show this prompt's map together with that of the current row (Space).",
    ),
    PromptColumn.COLOR: ("", "The map's colors; click or press Space to choose others."),
    PromptColumn.PROMPT: (
        "Prompt",
        (
            "What to look for. Several names of one thing: nuclei | cell nuclei. A contrast: "
            "nuclei - background.\nF2 edits, Escape restores, Enter adds the next, Delete "
            "removes, Ctrl+Up and Ctrl+Down move, Ctrl+V pastes many, Ctrl+Z undoes; rows can be "
            "dragged."
        ),
    ),
    PromptColumn.SIMILARITY: (
        "Match",
        (
            "How well the prompt matches the whole image: the mean cosine over tiles. The bar "
            "runs from the worst to the best match in the table."
        ),
    ),
    PromptColumn.CURSOR: (
        "Under\ncursor",
        (
            "Where the value under the cursor lies between the lowest and highest of the map; the "
            "values themselves are in the status bar."
        ),
    ),
    PromptColumn.VERDICT: (
        "Trust",
        "Whether the map depends on the words and the words fit the image.",
    ),
    PromptColumn.COUNT: (
        "Count",
        "Objects in the slice in view, as the section Annotate would make them.",
    ),
}

TRUST_COLORS = {
    Trust.GOOD: ("#5fd06f", "#1d6b2a"),
    Trust.DOUBTFUL: ("#f0b040", "#855300"),
    Trust.NONE: ("#ffb4ab", "#b3261e"),
    Trust.UNKNOWN: ("#c0c0c0", "#5a5a5a"),
}
"""Colors of the words on a dark and on a light background, each with a contrast of 4.5 or more."""
