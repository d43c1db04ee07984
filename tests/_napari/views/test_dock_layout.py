"""The layout of the dock, with real clicks and keys."""

from __future__ import annotations

import pytest
from magicgui.widgets import Container
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QLabel

from napari_clip_heatmap._napari.colormaps import LayerStyle
from napari_clip_heatmap._napari.views.control_spec import ControlSection, ControlSources
from napari_clip_heatmap._napari.views.controls import CONTROLS, make_controls
from napari_clip_heatmap._napari.views.dock_layout import add_shortcut, lay_out, show_row


@pytest.fixture
def dock(qtbot):
    sources = ControlSources(lambda: None, lambda: None, lambda: ("auto",), LayerStyle)
    dock = Container(widgets=make_controls(sources), labels=False)
    dock.tabs = lay_out(dock)
    qtbot.addWidget(dock.native)
    with qtbot.waitExposed(dock.native):
        dock.native.show()
    return dock


def test_every_control_has_its_place_and_none_is_a_window(dock):
    for spec in CONTROLS:
        native = dock[spec.name].native
        assert native.window() is dock.native.window()
        assert dock.native.isAncestorOf(native)


def test_a_click_on_a_tab_shows_its_section_and_no_other(dock, qtbot):
    assert dock.tabs.title == ControlSection.VIEW.value
    assert dock["preview"].native.isVisible()
    bar = dock.tabs.tabBar()
    for number, section in enumerate(each for each in ControlSection if each.is_tab):
        qtbot.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(number).center())
        assert dock.tabs.title == section.value
        assert dock.tabs.tabToolTip(number)
    assert not dock["preview"].native.isVisible()
    dock.tabs.open("no such section")
    assert dock.tabs.title == ControlSection.LOADING.value


def test_labels_are_those_of_the_specs(dock):
    for spec in CONTROLS:
        native = dock[spec.name].native
        form = native.parentWidget().layout()
        if isinstance(form, QFormLayout) and spec.title:
            assert form.labelForField(native).text() == spec.title


def test_a_row_is_hidden_with_its_label(dock):
    dock.tabs.open(ControlSection.REGION.value)
    native = dock["along"].native
    (form,) = native.parentWidget().findChildren(QFormLayout)
    label = form.labelForField(native)
    assert label.isVisible()
    show_row(dock, "along", shown=False)
    assert not native.isVisible()
    assert not label.isVisible()
    show_row(dock, "along", shown=True)
    assert native.isVisible()


def test_run_is_visible_however_low_the_dock_is(dock):
    dock.native.resize(dock.native.width(), dock.native.minimumSizeHint().height())
    assert not dock["run"].native.visibleRegion().isEmpty()


def test_a_long_choice_does_not_widen_the_dock(dock):
    before = dock.native.minimumSizeHint().width()
    dock["model"].value = "hf-hub:an-organization/" + 40 * "long-name-"
    assert dock.native.minimumSizeHint().width() == before


def test_texts_wrap_and_can_be_copied(dock):
    for spec in CONTROLS:
        if spec.wraps:
            label = dock[spec.name].native
            assert isinstance(label, QLabel)
            assert label.wordWrap()
            flags = label.textInteractionFlags()
            assert flags & Qt.TextInteractionFlag.TextSelectableByMouse


def test_a_shortcut_works_from_any_control(dock, qtbot):
    pressed = []
    add_shortcut(dock, "Ctrl+Return", lambda: pressed.append(1))
    with qtbot.waitActive(dock.native):
        dock.native.activateWindow()
    dock["score"].native.setFocus()
    qtbot.keyClick(dock["score"].native, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert pressed == [1]
