"""Real wheel events over controls inside a scroll area."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QLabel,
    QScrollArea,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_clip_heatmap._napari.views.focus import require_focus_for_wheel


@pytest.fixture
def area(qtbot):
    """A scroll area of 200 pixels around controls and a tall label."""
    inside = QWidget()
    column = QVBoxLayout(inside)
    combo, spin, slider, editable = QComboBox(), QSpinBox(), QSlider(), QComboBox()
    for choice in (combo, editable):
        choice.addItems([*"abcdefgh"])
        choice.setCurrentIndex(4)
    editable.setEditable(True)
    spin.setValue(50)
    slider.setValue(50)
    tall = QLabel()
    tall.setMinimumHeight(900)
    for control in (combo, spin, slider, editable, tall):
        column.addWidget(control)
    area = QScrollArea()
    area.setWidget(inside)
    area.setWidgetResizable(True)
    area.resize(200, 200)
    require_focus_for_wheel(area)
    qtbot.addWidget(area)
    area.show()
    qtbot.waitExposed(area)
    area.activateWindow()
    area.setFocus()  # Qt gives it to the first control
    area.controls = {"combo": combo, "spin": spin, "slider": slider, "editable": editable}
    return area


def value(control):
    return control.currentIndex() if isinstance(control, QComboBox) else control.value()


def turn_wheel(control):
    center = control.rect().center()
    event = QWheelEvent(
        QPointF(center),
        QPointF(control.mapToGlobal(center)),
        QPoint(0, 0),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(control, event)
    return event.isAccepted()


@pytest.mark.parametrize("name", ["combo", "spin", "slider", "editable"])
def test_without_focus_the_wheel_is_left_to_the_scroll_area(area, name):
    control = area.controls[name]
    before = value(control)
    accepted = turn_wheel(control)
    assert not accepted  # Qt offers it to what lies around, up to the scroll area
    assert value(control) == before
    assert not control.hasFocus()


def test_the_scroll_area_itself_still_takes_it(area):
    assert turn_wheel(area.viewport())
    assert area.verticalScrollBar().value() > 0


@pytest.mark.parametrize("name", ["combo", "spin", "slider", "editable"])
def test_with_focus_the_wheel_changes_the_value(area, qtbot, name):
    control = area.controls[name]
    control.setFocus()
    qtbot.waitUntil(control.hasFocus)
    before = value(control)
    turn_wheel(control)
    assert value(control) != before
