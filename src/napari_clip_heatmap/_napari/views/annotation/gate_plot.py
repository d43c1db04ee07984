"""How many objects have which score for one prompt, with a gate that can be dragged."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen
from qtpy.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

__all__ = ["GatePlot", "Histogram"]

BINS = 40
HEIGHT = 110
MARGIN, BOTTOM = 6, 20
GATE, PASSING, FAILING = QColor("#ffe600"), QColor("#4fa3e0"), QColor("#6b6b6b")


class GatePlot(QWidget):  # type: ignore[misc] # qtpy ships no types
    """A choice of a prompt above the histogram of its scores; hidden while there are none.

    Signals
    -------
    gated : str, float
        The user moved the gate of a prompt to a score.
    prompt_chosen : str
    """

    gated = Signal(str, float)
    prompt_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.prompts = QComboBox()
        self.prompts.setAccessibleName("Prompt whose scores are shown")
        self.histogram = Histogram()
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self.prompts, self.histogram, self.summary):
            column.addWidget(widget)
        self._scores: dict[str, NDArray[np.float64]] = {}
        self._gates: dict[str, float] = {}
        self.prompts.currentTextChanged.connect(self._on_prompt)
        self.histogram.gate_moved.connect(self._on_moved)
        self.setVisible(False)

    @property
    def prompt(self) -> str:
        """The prompt whose scores are shown."""
        return str(self.prompts.currentText())

    def show_scores(
        self, scores: Mapping[str, NDArray[np.float64]], gates: Mapping[str, float]
    ) -> None:
        """Show the scores of objects, by prompt, float (object,); none hide the plot."""
        self._scores, self._gates = dict(scores), dict(gates)
        if [self.prompts.itemText(n) for n in range(self.prompts.count())] != [*scores]:
            self.prompts.blockSignals(True)
            self.prompts.clear()
            self.prompts.addItems([*scores])
            self.prompts.blockSignals(False)
        self.setVisible(bool(scores))
        self._show()

    def _on_prompt(self, prompt: str) -> None:
        self._show()
        self.prompt_chosen.emit(prompt)

    def _on_moved(self, gate: float) -> None:
        self._gates[self.prompt] = gate
        self._show()
        self.gated.emit(self.prompt, gate)

    def _show(self) -> None:
        values = self._scores.get(self.prompt)
        if values is None:
            return
        gate = self._gates.get(self.prompt)
        self.histogram.show_values(values, gate)
        passed = len(values) if gate is None else int((values >= gate).sum())
        self.summary.setText(
            f"{passed} of {len(values)} objects pass"
            + ("; drag in the plot to set a gate" if gate is None else f" (score {gate:.2f} up)")
        )


class Histogram(QWidget):  # type: ignore[misc]
    """Bars, and a line that the mouse or the arrow keys move.

    Signals
    -------
    gate_moved : float
    """

    gate_moved = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._counts = np.zeros(BINS, int)
        self._edges = np.linspace(0, 1, BINS + 1)
        self._gate: float | None = None
        self.setMinimumHeight(HEIGHT)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setAccessibleName("Scores of the objects; arrow keys move the gate")

    @property
    def gate(self) -> float | None:
        """The score at the line."""
        return self._gate

    def show_values(self, values: NDArray[np.float64], gate: float | None) -> None:
        """Show scores, and the gate where there is one; scores that are not known are left out."""
        known = values[np.isfinite(values)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        if low == high:
            low, high = low - 0.5, high + 0.5
        self._counts, self._edges = np.histogram(known, BINS, (low, high))
        self._gate = gate
        self.update()

    def position_of(self, value: float) -> float:
        """Return where a score is drawn, in pixels from the left."""
        low, high = self._edges[0], self._edges[-1]
        width = self.width() - 2 * MARGIN
        return float(MARGIN + width * (value - low) / (high - low))

    def value_at(self, position: float) -> float:
        """Return the score that is drawn at a number of pixels from the left."""
        low, high = float(self._edges[0]), float(self._edges[-1])
        fraction = (position - MARGIN) / max(1, self.width() - 2 * MARGIN)
        return float(low + min(max(fraction, 0.0), 1.0) * (high - low))

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(200, HEIGHT)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        if event.button() == Qt.MouseButton.LeftButton:
            self.gate_moved.emit(self.value_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.gate_moved.emit(self.value_at(event.position().x()))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if event.key() not in steps:
            super().keyPressEvent(event)
            return
        low, high = float(self._edges[0]), float(self._edges[-1])
        step = (high - low) / (2 * BINS)
        start = low if self._gate is None else self._gate
        self.gate_moved.emit(min(max(start + steps[event.key()] * step, low), high))

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)
        floor = self.height() - BOTTOM
        top = max(1, int(self._counts.max()))
        for count, left, right in zip(self._counts, self._edges[:-1], self._edges[1:], strict=True):
            start, stop = self.position_of(left), self.position_of(right)
            height = (floor - MARGIN) * count / top
            passing = self._gate is None or (left + right) / 2 >= self._gate
            bar = QRectF(start, floor - height, max(1.0, stop - start - 1), height)
            painter.fillRect(bar, PASSING if passing else FAILING)
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.WindowText), 1))
        painter.drawLine(MARGIN, floor, self.width() - MARGIN, floor)
        below = QRectF(MARGIN, floor + 2, self.width() - 2 * MARGIN, BOTTOM - 2)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, f"{self._edges[0]:.2f}")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"{self._edges[-1]:.2f}")
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, "score")
        if self._gate is not None:
            painter.setPen(QPen(GATE, 2))
            at = round(self.position_of(self._gate))
            painter.drawLine(at, MARGIN, at, floor)
