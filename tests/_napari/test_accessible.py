"""Every control of the dock can be read, reached by keys, and says what it is for."""

from __future__ import annotations

import numpy as np
import pytest
from napari.settings import get_settings
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QImage
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
)

from napari_clip_heatmap._napari.views.annotation.gate_plot import Histogram
from napari_clip_heatmap._napari.views.focus import FocusRing
from napari_clip_heatmap._napari.widget import HeatmapWidget

AA = 4.5
"""Least contrast of text, of the Web Content Accessibility Guidelines."""

KINDS = (
    QAbstractButton,
    QComboBox,
    QAbstractSpinBox,
    QAbstractSlider,
    QLineEdit,
    QPlainTextEdit,
    QAbstractItemView,
    Histogram,
)


@pytest.fixture
def dock(make_napari_viewer, session, picture, qtbot):
    """The dock after a run, with objects named."""
    viewer = make_napari_viewer(show=True)
    viewer.add_image(picture, name="cells")
    labels = np.zeros(picture.shape[:2], int)
    labels[20:60, 10:30] = 1
    labels[20:60, 60:80] = 2
    widget = HeatmapWidget(viewer, session)
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    widget["prompts"].value = ["red", "green", "blue"]
    widget.start()
    qtbot.waitUntil(
        lambda: not widget.state.busy and widget.state.result is not None, timeout=20_000
    )
    viewer.add_labels(labels, name="segmentation")
    widget.tabs.open("Classify")
    widget["classify"].native.click()
    qtbot.waitUntil(lambda: widget.state.annotation.classified is not None, timeout=20_000)
    viewer.window._qt_window.resize(1280, 720)
    qtbot.wait(200)
    return widget


@pytest.fixture(params=["dark", "light"])
def theme(request, dock, qtbot):
    """The theme of the viewer, whose settings are its fixture's own."""
    get_settings().appearance.theme = request.param
    qtbot.wait(100)
    return request.param


@pytest.fixture
def large_font(dock, qtbot):
    get_settings().appearance.font_size = 16
    qtbot.wait(300)
    assert dock["run"].native.fontInfo().pointSizeF() > 14


def controls(widget):
    """Yield what a user can act on in the open section and around it."""
    for kind in KINDS:
        for each in widget.native.findChildren(kind):
            part_of = isinstance(each.parentWidget(), QComboBox | QAbstractSpinBox)
            own = not isinstance(each, QScrollBar | QHeaderView) and not part_of
            corner = isinstance(each, QAbstractButton) and isinstance(
                each.parentWidget(), QAbstractItemView
            )
            if own and not corner and each.isVisible() and each.isEnabled():
                yield each


def sections(widget, qtbot):
    for button in widget.tabs.buttons:
        button.click()
        qtbot.wait(30)
        yield button.text()


def luminance(color):
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def pixels_of(native):
    """Return what is painted of a widget and what lies in it, 0..1 (y, x, 3)."""
    picture = native.grab().toImage().convertToFormat(QImage.Format.Format_RGBA8888)
    data = np.frombuffer(picture.bits().asstring(picture.sizeInBytes()), np.uint8)
    return data.reshape(picture.height(), -1, 4)[:, : picture.width(), :3] / 255


def contrast(painted, widget, around):
    """Return the contrast of a widget's text with what most of the widget is painted."""
    corner = widget.mapTo(around, QPoint(0, 0))
    box = painted[corner.y() :, corner.x() :][: widget.height(), : widget.width()]
    bright = luminance(box)
    ground = np.median(bright)
    highest, lowest = max(bright.max(), ground), min(bright.min(), ground)
    return max((highest + 0.05) / (ground + 0.05), (ground + 0.05) / (lowest + 0.05))


def text_of(widget):
    """Return what can be read in a widget."""
    if isinstance(widget, QComboBox):
        return widget.currentText()
    if isinstance(widget, QPlainTextEdit):
        return widget.toPlainText()
    if isinstance(widget, QAbstractItemView):
        cells = (widget.model().index(0, column) for column in range(8))
        return "".join(str(each.data() or "") for each in cells if each.isValid())
    return widget.text() if hasattr(widget, "text") else ""


def can_be_read(widget):
    text = text_of(widget)
    whole = widget.visibleRegion().boundingRect() == widget.rect()
    return whole and any(each.isalnum() for each in text)


def test_every_text_has_enough_contrast(dock, theme, qtbot):
    low = []
    background = luminance(pixels_of(dock.native)[2, 2])
    assert (background > 0.4) == (theme == "light")
    for section in sections(dock, qtbot):
        labels = [each for each in dock.native.findChildren(QLabel) if each.isVisible()]
        painted = pixels_of(dock.native)
        read = [each for each in (*controls(dock), *labels) if can_be_read(each)]
        assert len(read) > 12
        for each in read:
            ratio = contrast(painted, each, dock.native)
            if ratio < AA:
                low.append((section, type(each).__name__, text_of(each)[:30], round(ratio, 2)))
    assert not low


def test_every_control_says_what_it_is_for(dock, qtbot):
    silent = set()
    for section in sections(dock, qtbot):
        for each in controls(dock):
            parent, tips = each, []
            while parent is not dock.native and not isinstance(parent, type(None)):
                tips.append(parent.toolTip())
                parent = parent.parentWidget()
            if not any(tips):
                silent.add((section, type(each).__name__, each.accessibleName()))
    assert not silent


def test_tab_reaches_every_control_and_the_focus_is_outlined(dock, qtbot):
    window = dock.native.window()
    (ring,) = window.findChildren(FocusRing)
    assert not ring.isVisible() or dock.native.isAncestorOf(QApplication.focusWidget())
    with qtbot.waitActive(window):
        window.activateWindow()
    for section in sections(dock, qtbot):
        missing = set(controls(dock))
        checked = [each for each in missing if isinstance(each, QAbstractButton)]
        # Of buttons that exclude one another Tab reaches the chosen one, arrows the others.
        missing -= {each for each in checked if each.autoExclusive() and not each.isChecked()}
        dock.tabs.area.verticalScrollBar().setValue(0)  # Tab scrolls by itself, `setFocus` not
        dock["image"].native.setFocus(Qt.FocusReason.TabFocusReason)
        for _ in range(80):
            qtbot.wait(5)
            held = QApplication.focusWidget()
            around = held
            while around is not None and around is not dock.native:
                missing.discard(around)
                around = around.parentWidget()
            if held is not None and dock.native.isAncestorOf(held):
                qtbot.waitUntil(ring.isVisible)
            if not missing:
                break
            QTest.keyClick(held or window, Qt.Key.Key_Tab)
        assert not missing, (section, [(type(e).__name__, e.toolTip()[:40]) for e in missing])


def test_nothing_is_cut_off_with_a_large_font(dock, large_font, qtbot):
    area = dock.tabs.area
    for section in sections(dock, qtbot):
        assert area.widget().width() <= area.viewport().width(), section
        for each in controls(dock):
            right = each.mapTo(dock.native, QPoint(each.width(), 0)).x()
            assert right <= dock.native.width(), (section, each)
            if isinstance(each, QAbstractButton) and each.text():
                text = max(each.text().splitlines(), key=len)
                wide = each.fontMetrics().horizontalAdvance(text)
                assert wide <= each.width(), (section, each.text(), wide, each.width())
