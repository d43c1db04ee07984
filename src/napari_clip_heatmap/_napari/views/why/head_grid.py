"""A heat grid of layers and heads, painted: hover for numbers, click and keys to select."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
)
from qtpy.QtWidgets import QToolTip, QWidget

__all__ = ["GridFigures", "Head", "HeadGrid"]

Head = tuple[int, int]
"""Layer and head."""

LEFT, TOP, CELL, LARGEST_CELL = 26, 16, 9, 22
"""Pixels left of the cells and above them, and the least and largest height of a cell."""

FOR, AGAINST = QColor("#d7301f"), QColor("#2b6cd4")
"""Of heads that add to the value, and of those that take from it; the fainter, the less."""

_STEPS = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}


@dataclass(frozen=True, eq=False)
class GridFigures:
    """What a grid shows.

    Parameters
    ----------
    values : float32 (layer, head)
        Contribution of each head.
    rest : float32 (layer,), optional
        What each layer adds apart from its heads (its MLP), as a last column.
    words : mapping of (layer, head) to str
        What heads look for, where that is known.
    """

    values: NDArray[np.float32]
    rest: NDArray[np.float32] | None = None
    words: dict[Head, str] = field(default_factory=dict)


class HeadGrid(QWidget):  # type: ignore[misc] # qtpy ships no types
    """Layers as rows, heads as columns.

    A click selects a head, on a layer's name the layer, on a head's number that head of all layers;
    with Ctrl or Shift it adds or takes away. Arrow keys move, Space selects, Escape selects none.

    Signals
    -------
    selection_changed
        By the user.
    hovered : str
        What is under the mouse, or at the keyboard's place; empty where nothing is.
    """

    selection_changed = Signal()
    hovered = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._figures: GridFigures | None = None
        self._selected: frozenset[Head] = frozenset()
        self._left_out = False
        self._cursor: Head | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Contribution of every layer and head")
        self.setMinimumHeight(0)

    @property
    def figures(self) -> GridFigures | None:
        """What is shown."""
        return self._figures

    @property
    def selected(self) -> frozenset[Head]:
        """The selected heads."""
        return self._selected

    def show_figures(self, figures: GridFigures | None) -> None:
        """Show contributions, or nothing; heads stay selected as long as the grid has them."""
        self._figures = figures
        shape = (0, 0) if figures is None else figures.values.shape
        if figures is not None:
            self._selected = frozenset(
                (layer, head)
                for layer, head in self._selected
                if layer < shape[0] and head < shape[1]
            )
        self._cursor = None
        self.setFixedHeight(self.sizeHint().height())
        self.update()

    def select(self, heads: frozenset[Head]) -> None:
        """Select heads; no signal is emitted."""
        self._selected = heads
        self.update()

    def show_left_out(self, left_out: bool) -> None:
        """Cross the selected heads out, or frame them."""
        self._left_out = left_out
        self.update()

    def text_of(self, head: Head) -> str:
        """Return what is known of a head."""
        if self._figures is None:
            return ""
        layer, number = head
        value = float(self._figures.values[layer, number])
        words = self._figures.words.get(head, "")
        return f"L{layer}H{number}  {value:+.5f}" + (f"  {words}" if words else "")

    def center_of(self, head: Head) -> QPointF:
        """Return the middle of a head's cell, in pixels of the widget."""
        return self._cell(*head).center()

    def sizeHint(self) -> QSize:  # noqa: N802
        if self._figures is None:
            return QSize(200, 0)
        n_layers = self._figures.values.shape[0]
        height = min(LARGEST_CELL, max(CELL, 240 // n_layers))
        return QSize(200, TOP + n_layers * height + 2)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        heads = self._heads_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and heads:
            adds = event.modifiers() & (
                Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
            )
            self._choose(heads, adds=bool(adds))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self.hovered.emit(self._text_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802
        super().leaveEvent(event)
        self.hovered.emit("")

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self._text_at(QPointF(event.pos())), self)
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        if self._figures is None:
            super().keyPressEvent(event)
            return
        n_layers, n_heads = self._figures.values.shape
        layer, head = self._cursor or (0, 0)
        if event.key() in _STEPS:
            down, right = _STEPS[event.key()]
            if self._cursor is not None:
                layer = min(max(layer + down, 0), n_layers - 1)
                head = min(max(head + right, 0), n_heads - 1)
            self._cursor = (layer, head)
            self.hovered.emit(self.text_of(self._cursor))
            self.update()
        elif event.key() == Qt.Key.Key_Space and self._cursor is not None:
            self._choose(frozenset([self._cursor]), adds=True)
        elif event.key() == Qt.Key.Key_Escape and self._selected:
            self._choose(frozenset(), adds=False)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        figures = self._figures
        if figures is None:
            return
        painter = QPainter(self)
        text = self.palette().color(QPalette.ColorRole.WindowText)
        most = float(np.abs(figures.values).max()) or 1.0
        self._paint_names(painter, text)
        for layer, head in np.ndindex(*figures.values.shape):
            cell = self._cell(layer, head)
            self._fill(painter, cell, float(figures.values[layer, head]) / most)
            if (layer, head) in self._selected:
                self._mark(painter, cell, text)
        if figures.rest is not None:
            for layer, value in enumerate(figures.rest):
                cell = self._cell(layer, figures.values.shape[1])
                self._fill(painter, cell, min(1.0, max(-1.0, float(value) / most)))
        if self._cursor is not None and self.hasFocus():
            painter.setPen(QPen(text, 1, Qt.PenStyle.DotLine))
            painter.drawRect(self._cell(*self._cursor).adjusted(1, 1, -1, -1))

    def _paint_names(self, painter: QPainter, text: QColor) -> None:
        """Write names of layers and numbers of heads, as many as there is room for."""
        if self._figures is None:
            return
        n_layers, n_heads = self._figures.values.shape
        font = painter.font()
        font.setPixelSize(10)
        painter.setFont(font)
        painter.setPen(text)
        cell = self._cell(0, 0)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        rows = max(1, int(np.ceil(11 / cell.height())))
        for layer in range(0, n_layers, rows):
            box = QRectF(0, self._cell(layer, 0).top() - 3, LEFT - 4, cell.height() + 6)
            painter.drawText(box, right, f"L{layer}")
        columns = max(1, int(np.ceil(16 / cell.width())))
        for head in range(0, n_heads, columns):
            box = QRectF(self._cell(0, head).left() - 8, 0, cell.width() + 16, TOP - 2)
            painter.drawText(
                box, Qt.AlignmentFlag.AlignCenter, f"H{head}" if not head else f"{head}"
            )
        if self._figures.rest is not None:
            box = QRectF(self._cell(0, n_heads).right() - 40, 0, 40, TOP - 2)
            painter.drawText(box, right, "MLP")

    def _fill(self, painter: QPainter, cell: QRectF, strength: float) -> None:
        color = QColor(FOR if strength > 0 else AGAINST)
        painter.fillRect(cell, self.palette().color(QPalette.ColorRole.Base))
        color.setAlphaF(min(1.0, abs(strength)))
        painter.fillRect(cell, color)

    def _mark(self, painter: QPainter, cell: QRectF, text: QColor) -> None:
        painter.setPen(QPen(text, 2))
        inner = cell.adjusted(1, 1, -1, -1)
        if self._left_out:
            painter.drawLine(inner.topLeft(), inner.bottomRight())
            painter.drawLine(inner.bottomLeft(), inner.topRight())
        else:
            painter.drawRect(inner)

    def _cell(self, layer: int, head: int) -> QRectF:
        """Return where a head's cell is painted; after the last head, the layer's rest."""
        if self._figures is None:
            return QRectF()
        n_layers, n_heads = self._figures.values.shape
        columns = n_heads + (1.5 if self._figures.rest is not None else 0)
        width = (self.width() - LEFT - 2) / columns
        height = (self.height() - TOP - 2) / n_layers
        column = head + (0.5 if head == n_heads else 0)
        return QRectF(LEFT + column * width, TOP + layer * height, width - 1, height - 1)

    def _heads_at(self, spot: QPointF) -> frozenset[Head]:
        """Return the heads at a spot: at a layer's name or a head's number, several."""
        if self._figures is None:
            return frozenset()
        n_layers, n_heads = self._figures.values.shape
        first, second = self._cell(0, 0), self._cell(n_layers - 1, n_heads - 1)
        head = int((spot.x() - LEFT) // (first.width() + 1))
        layer = int((spot.y() - TOP) // (first.height() + 1))
        if spot.x() > second.right() + 1 or spot.y() > second.bottom() + 1:
            return frozenset()
        heads = range(n_heads) if spot.x() < LEFT else (head,)
        layers = range(n_layers) if spot.y() < TOP else (layer,)
        return frozenset((row, column) for row in layers for column in heads)

    def _text_at(self, spot: QPointF) -> str:
        heads = self._heads_at(spot)
        if self._figures is None or not heads:
            return self._rest_at(spot)
        if len(heads) == 1:
            return self.text_of(next(iter(heads)))
        total = sum(float(self._figures.values[head]) for head in heads)
        layers, numbers = {layer for layer, _ in heads}, {head for _, head in heads}
        name = f"L{min(layers)}" if len(layers) == 1 else f"H{min(numbers)}"
        return f"{name if min(len(layers), len(numbers)) == 1 else 'all'}  {total:+.5f}"

    def _rest_at(self, spot: QPointF) -> str:
        figures = self._figures
        if figures is None or figures.rest is None:
            return ""
        for layer, value in enumerate(figures.rest):
            if self._cell(layer, figures.values.shape[1]).contains(spot):
                return f"L{layer} MLP  {float(value):+.5f}"
        return ""

    def _choose(self, heads: frozenset[Head], *, adds: bool) -> None:
        if adds:
            taken_away = heads <= self._selected
            self._selected = self._selected - heads if taken_away else self._selected | heads
        else:
            self._selected = frozenset() if heads == self._selected else heads
        self.update()
        self.selection_changed.emit()
