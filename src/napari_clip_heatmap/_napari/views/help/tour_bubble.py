"""A bubble that points at one control after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import QPoint, Qt, Signal
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_clip_heatmap._napari.views.help.help_topics import TourStep

__all__ = ["TourBubble"]

WIDTH = 280
GAP = 8


class TourBubble(QFrame):  # type: ignore[misc] # qtpy ships no types
    """Text beside a control, with *Back*, *Next* and *Skip*. Esc skips too.

    Parameters
    ----------
    controls : mapping of str to QWidget
        By name; steps whose control is hidden are left out.
    steps : sequence of TourStep

    Signals
    -------
    finished
        When it was closed, at the end or before.
    """

    finished = Signal()

    def __init__(self, controls: Mapping[str, QWidget], steps: Sequence[TourStep]) -> None:
        # A child of the window rather than a window of its own: it moves with it.
        window = controls[steps[0].control].window()
        super().__init__(window)
        self._steps = [step for step in steps if controls[step.control].isVisibleTo(window)]
        self._controls = controls
        self._number = 0
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setAutoFillBackground(True)
        self.setFixedWidth(WIDTH)
        self.text = QLabel(wordWrap=True)
        self.place = QLabel()
        self.back, self.next, self.skip = (QPushButton(name) for name in ("Back", "Next", "Skip"))
        self.back.clicked.connect(lambda: self.show_step(self._number - 1))
        self.next.clicked.connect(lambda: self.show_step(self._number + 1))
        self.skip.clicked.connect(self.close)
        buttons = QHBoxLayout()
        for part in (self.place, self.skip, self.back, self.next):
            buttons.addWidget(part)
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addLayout(buttons)

    def show_step(self, number: int) -> None:
        """Show a step; after the last one, close."""
        if number >= len(self._steps):
            self.close()
            return
        self._number = number
        step = self._steps[number]
        self.text.setText(step.text)
        self.place.setText(f"{number + 1} of {len(self._steps)}")
        self.back.setEnabled(number > 0)
        self.next.setText("Done" if number == len(self._steps) - 1 else "Next")
        self.adjustSize()
        self.move(self._beside(self._controls[step.control]))
        self.show()
        self.raise_()
        self.next.setFocus()

    def keyPressEvent(self, event: object) -> None:  # noqa: N802 - Qt's name
        """Close on Esc."""
        if event.key() == Qt.Key.Key_Escape:  # type: ignore[attr-defined]
            self.close()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """Say that it is over."""
        self.finished.emit()
        super().closeEvent(event)

    def _beside(self, control: QWidget) -> QPoint:
        """Return where it fits: left of the control, or else right of it, inside the window."""
        window = self.parentWidget()
        corner = control.mapTo(window, QPoint(0, 0))
        left = corner.x() - WIDTH - GAP
        x = left if left >= 0 else corner.x() + control.width() + GAP
        return QPoint(
            max(0, min(x, window.width() - WIDTH)),
            max(0, min(corner.y(), window.height() - self.height())),
        )
