"""The layout of the dock, with real clicks and keys."""

from __future__ import annotations

import pytest
from magicgui.widgets import Container
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QLabel

from napari_clip_heatmap._napari.colormaps import LayerStyle
from napari_clip_heatmap._napari.views.control_spec import (
    SECTION_HELP,
    ControlSection,
    ControlSources,
)
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


def test_a_click_on_a_button_shows_its_section_and_no_other(dock, qtbot):
    assert dock.tabs.title == ControlSection.VIEW.value
    assert dock["preview"].native.isVisible()
    sections = [each for each in ControlSection if each.is_tab]
    for button, section in zip(dock.tabs.buttons, sections, strict=True):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert dock.tabs.title == section.value
        assert button.toolTip() == SECTION_HELP[section]
        first = next(spec for spec in CONTROLS if spec.section is section)
        assert dock[first.name].native.isVisible()
    assert not dock["preview"].native.isVisible()
    dock.tabs.open("no such section")
    assert dock.tabs.title == sections[-1].value


@pytest.fixture(params=[9, 16])
def low_dock(dock, request, qtbot):
    """As low and as narrow as a window of 1280 x 720 pixels leaves it."""
    font = dock.native.font()
    font.setPointSize(request.param)
    dock.native.setFont(font)
    dock["prompts"].set_appearance(request.param, dark=True)
    qtbot.wait(50)
    dock.tabs.fit()
    dock.native.resize(dock.native.minimumSizeHint().width(), 640)
    qtbot.wait(50)
    return dock


def is_all_visible(native):
    """Whether no part of a widget is cut off or covered by what scrolls."""
    return native.visibleRegion().boundingRect() == native.rect()


def test_every_section_is_one_click_away_however_low_the_dock_is(low_dock, qtbot):
    bar = low_dock.tabs.area.verticalScrollBar()
    for place in (bar.minimum(), bar.maximum() // 2, bar.maximum()):
        for button in low_dock.tabs.buttons:
            bar.setValue(place)
            assert is_all_visible(button), button.text()


def test_a_click_brings_a_section_into_view(low_dock, qtbot):
    bar = low_dock.tabs.area.verticalScrollBar()
    for button, section in zip(low_dock.tabs.buttons, SECTION_HELP, strict=True):
        bar.setValue(0)
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        first = next(spec for spec in CONTROLS if spec.section is section)
        assert is_all_visible(low_dock[first.name].native), section
        assert is_all_visible(button)


def test_nothing_is_wider_than_what_is_visible(low_dock, qtbot):
    area = low_dock.tabs.area
    for button in low_dock.tabs.buttons:
        button.click()
        assert area.verticalScrollBar().isVisible()
        assert area.widget().width() <= area.viewport().width()
        table = low_dock["prompts"].view
        assert table.horizontalHeader().length() <= table.viewport().width()
        assert not table.horizontalScrollBar().isVisible()


def test_arrow_keys_go_from_section_to_section(dock, qtbot):
    first, second = dock.tabs.buttons[:2]
    with qtbot.waitActive(dock.native):
        dock.native.activateWindow()
    first.setFocus()
    qtbot.keyClick(first, Qt.Key.Key_Right)
    assert second.hasFocus()
    assert dock.tabs.title == second.text()


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
