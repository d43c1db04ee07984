"""Count and area of objects along the slices of a stack, painted."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from napari_clip_heatmap._napari.annotation_state import SliceFigures
from napari_clip_heatmap._napari.views.annotation.make_buttons import FRAME
from napari_clip_heatmap._napari.views.file_choice import choose_file
from napari_clip_heatmap.annotation.palette import distinct_color

__all__ = ["SlicePlot"]

HEIGHT = 130
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 8, 22


class SlicePlot(QWidget):  # type: ignore[misc] # qtpy ships no types
    """A plot that is hidden while there is nothing to show.

    Signals
    -------
    save_requested : str
        The path that the user chose.
    """

    save_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._figures: tuple[SliceFigures, ...] = ()
        self.canvas = _Lines()
        self.quantity = QComboBox()
        self.quantity.addItems(["count", "area"])
        self.quantity.setAccessibleName("What is plotted")
        self.quantity.currentTextChanged.connect(self._show)
        save = QToolButton()
        save.setText("Save as CSV\N{HORIZONTAL ELLIPSIS}")
        save.setStyleSheet(FRAME)
        save.clicked.connect(self._choose_file)
        line = QHBoxLayout()
        line.addWidget(self.quantity)
        line.addStretch()
        line.addWidget(save)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.canvas)
        column.addLayout(line)
        self.setVisible(False)

    @property
    def figures(self) -> tuple[SliceFigures, ...]:
        """What is shown."""
        return self._figures

    def show_figures(self, figures: tuple[SliceFigures, ...]) -> None:
        """Show figures, one line a prompt; nothing hides the plot."""
        self._figures = figures
        self.setVisible(bool(figures))
        self._show()

    def _show(self, *_: str) -> None:
        by_area = self.quantity.currentText() == "area"
        self.canvas.show_lines(
            [
                (each.prompt, each.positions, each.areas if by_area else each.counts)
                for each in self._figures
            ],
            self._figures[0].axis if self._figures else "",
        )

    def _choose_file(self) -> None:
        choose_file(
            self, "Save", self.save_requested.emit, filters="Table (*.csv)", save_as="slices.csv"
        )


Line = tuple[str, Sequence[int], Sequence[float]]


class _Lines(QWidget):  # type: ignore[misc]
    """Lines over slices, from 0 up."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[Line] = []
        self._axis = ""
        self.setMinimumHeight(HEIGHT)

    def show_lines(self, lines: list[Line], axis: str) -> None:
        self._lines, self._axis = lines, axis
        self.setToolTip("\n".join(f"{name}: {max(values):g} at most" for name, _, values in lines))
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(200, HEIGHT)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        if not self._lines:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = self.palette().color(QPalette.ColorRole.WindowText)
        area = QRectF(LEFT, TOP, self.width() - LEFT - RIGHT, self.height() - TOP - BOTTOM)
        positions = self._lines[0][1]
        first, last = positions[0], max(positions[-1], positions[0] + 1)
        top = max(max(values) for *_, values in self._lines) or 1
        painter.setPen(QPen(text, 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.drawLine(area.bottomLeft(), area.topLeft())
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(0, TOP - 6, LEFT - 4, 14), right, _short(top))
        painter.drawText(QRectF(0, area.bottom() - 8, LEFT - 4, 14), right, "0")
        below = QRectF(area.left(), area.bottom() + 3, area.width(), 16)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, str(first))
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, str(positions[-1]))
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, self._axis)
        for number, (_, places, values) in enumerate(self._lines):
            painter.setPen(QPen(QColor(*distinct_color(number)), 2))
            painter.drawPolyline(
                QPolygonF(
                    [
                        QPointF(
                            area.left() + area.width() * (place - first) / (last - first),
                            area.bottom() - area.height() * value / top,
                        )
                        for place, value in zip(places, values, strict=True)
                    ]
                )
            )


def _short(value: float) -> str:
    return f"{value:g}" if value < 10_000 else f"{value:.1e}"
