"""Let the mouse wheel scroll the dock, not change the control that happens to be below it."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QAbstractSlider, QAbstractSpinBox, QComboBox, QScrollBar, QWidget

__all__ = ["require_focus_for_wheel"]

_CHANGED_BY_WHEEL = (QComboBox, QAbstractSpinBox, QAbstractSlider)


def require_focus_for_wheel(parent: QWidget) -> None:
    """Let drop-downs, spin boxes and sliders inside a widget take the wheel only with focus."""
    guard = _WheelGuard(parent)
    for kind in _CHANGED_BY_WHEEL:
        for control in parent.findChildren(kind):
            if not isinstance(control, QScrollBar):
                control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # the wheel gives no focus
                control.installEventFilter(guard)


class _WheelGuard(QObject):  # type: ignore[misc] # qtpy ships no types
    """Passes the wheel on to what lies around a control that has no focus."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if event.type() == QEvent.Type.Wheel and not watched.hasFocus():
            event.ignore()  # so that Qt offers it to the parent
            return True
        return False
