"""Keyboard focus: what has it is outlined, and only that is changed by the mouse wheel."""

from __future__ import annotations

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QPainter, QPaintEvent, QPalette, QPen
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QFocusFrame,
    QProxyStyle,
    QScrollArea,
    QScrollBar,
    QStyle,
    QWidget,
)

__all__ = ["FocusRing", "require_focus_for_wheel"]

_CHANGED_BY_WHEEL = (QComboBox, QAbstractSpinBox, QAbstractSlider)

WIDTH = 2
"""Of the outline, in pixels."""


def require_focus_for_wheel(parent: QWidget) -> None:
    """Let drop-downs, spin boxes and sliders inside a widget take the wheel only with focus."""
    guard = _WheelGuard(parent)
    for kind in _CHANGED_BY_WHEEL:
        for control in parent.findChildren(kind):
            if not isinstance(control, QScrollBar):
                control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # the wheel gives no focus
                control.installEventFilter(guard)


class FocusRing(QFocusFrame):  # type: ignore[misc] # qtpy ships no types
    """Outlines the control inside a widget that keys go to; napari's style sheet marks none.

    Parameters
    ----------
    inside : QWidget
    """

    def __init__(self, inside: QWidget) -> None:
        super().__init__(inside)
        self._inside = inside
        self._style = _OverControl()
        self.setStyle(self._style)
        self.hide()
        self._held: QWidget | None = None
        self._soon = QTimer(self)  # once a control that was out of sight has been scrolled to
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.place)
        QApplication.instance().focusChanged.connect(self._follow)
        for area in inside.findChildren(QScrollArea):
            area.verticalScrollBar().valueChanged.connect(lambda _value: self._soon.start())

    def place(self) -> None:
        """Lie where the control is now, if that is in sight."""
        self.setWidget(None)
        held = self._held
        if held is None or not isalive(held) or not self._inside.isAncestorOf(held):
            return
        if held.visibleRegion().isEmpty():  # Qt does not scroll back to what Tab returns to
            for area in self._inside.findChildren(QScrollArea):
                if area.isAncestorOf(held):
                    area.ensureWidgetVisible(held)
        self.setWidget(held)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.WindowText), WIDTH))
        painter.drawRect(self.rect().adjusted(1, 1, -1, -1))

    def _follow(self, _before: QWidget | None, now: QWidget | None) -> None:
        held = now
        while held is not None and isinstance(held.parentWidget(), QComboBox | QAbstractSpinBox):
            held = held.parentWidget()  # the line edit is a part of it
        self._held = held
        self._soon.start()


class _OverControl(QProxyStyle):  # type: ignore[misc]
    """Draws the outline on the edge of a control, where nothing cuts it off."""

    def styleHint(self, hint: QStyle.StyleHint, *others: object) -> int:  # noqa: N802
        if hint == QStyle.StyleHint.SH_FocusFrame_AboveWidget:
            return 1
        return int(super().styleHint(hint, *others))

    def pixelMetric(self, metric: QStyle.PixelMetric, *others: object) -> int:  # noqa: N802
        margins = (
            QStyle.PixelMetric.PM_FocusFrameHMargin,
            QStyle.PixelMetric.PM_FocusFrameVMargin,
        )
        return 0 if metric in margins else int(super().pixelMetric(metric, *others))


class _WheelGuard(QObject):  # type: ignore[misc]
    """Passes the wheel on to what lies around a control that has no focus."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if event.type() == QEvent.Type.Wheel and not watched.hasFocus():
            event.ignore()  # so that Qt offers it to the parent
            return True
        return False
