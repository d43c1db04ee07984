"""Lay out the dock widget's controls: a form, collapsible sections, and buttons below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QIcon, QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QBoxLayout,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_clip_heatmap._napari.views.control_spec import ControlSection, ControlSpec
from napari_clip_heatmap._napari.views.controls import CONTROLS
from napari_clip_heatmap._napari.views.wheel_focus import require_focus_for_wheel

if TYPE_CHECKING:
    from magicgui.widgets import Container, Widget

__all__ = ["add_shortcut", "lay_out", "show_row"]

HEADLINE = "text-align: left; border: none; background: transparent; padding: 2px;"
"""Not drawn as a button: napari would color a pressed one like a selection."""

COLLAPSED, EXPANDED = "\N{BLACK RIGHT-POINTING TRIANGLE}", "\N{BLACK DOWN-POINTING TRIANGLE}"

LEAST, NOTES = 220, 84
"""Least height of the controls, and height of the notes, in pixels."""

SCROLL_BAR = 14
"""Width in pixels that a scroll bar takes from the table."""

MARGIN = 8
"""Pixels to the left and right of the text of a small button."""


def lay_out(container: Container[Widget]) -> Mapping[str, QCollapsible]:
    """Replace a container's single column by a form, sections and rows of buttons.

    The container keeps its controls and their names; only Qt's layout changes.

    Returns
    -------
    mapping of str to QCollapsible
        The sections, by headline.
    """
    column = container.native.layout()
    natives: dict[str, QWidget] = {part.name: part.native for part in container}
    for native in natives.values():
        column.removeWidget(native)
    for spec in CONTROLS:
        if spec.shrinks:
            _let_shrink(natives[spec.name])
        if spec.wraps:
            _let_wrap(natives[spec.name])
    require_focus_for_wheel(container.native)
    margins = column.contentsMargins()
    table = natives["prompts"].minimumSizeHint().width()
    container.native.setMinimumWidth(table + margins.left() + margins.right() + SCROLL_BAR)
    sections = {
        section.value: _section(section, natives)
        for section in ControlSection
        if section.collapsible
    }
    inside = QVBoxLayout()
    inside.addLayout(_form(ControlSection.FORM, natives))
    for section in sections.values():
        inside.addWidget(section)
    # Outside of what scrolls, so that Run and its messages are always visible.
    column.addWidget(_scrolling(inside, LEAST), stretch=1)
    for row in (ControlSection.RUN, ControlSection.PROGRESS, ControlSection.LAYERS):
        column.addLayout(_row(row, natives))
    column.addLayout(_row(ControlSection.STATUS, natives))
    area = _scrolling(_row(ControlSection.NOTES, natives), NOTES)
    area.setMaximumHeight(NOTES)
    column.addWidget(area)
    return sections


def _specs_of(section: ControlSection) -> list[ControlSpec]:
    return [spec for spec in CONTROLS if spec.section == section]


def _row(section: ControlSection, natives: Mapping[str, QWidget]) -> QHBoxLayout:
    line = QHBoxLayout()
    for spec in _specs_of(section):
        line.addWidget(natives[spec.name])
    return line


def _scrolling(layout: QBoxLayout, height: int) -> QScrollArea:
    """Return an area that needs little height, and scrolls what needs more."""
    layout.setContentsMargins(0, 0, 0, 0)
    inside = QWidget()
    inside.setLayout(layout)
    area = QScrollArea()
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidgetResizable(True)
    area.setWidget(inside)
    area.setMinimumHeight(height)
    return area


def show_row(container: Container[Widget], name: str, *, shown: bool) -> None:
    """Show or hide a control of a form together with its label."""
    native = container[name].native
    form = native.parentWidget().layout()
    if isinstance(form, QFormLayout):
        form.setRowVisible(native, shown)


def add_shortcut(container: Container[Widget], keys: str, slot: Callable[[], None]) -> None:
    """Let keys pressed anywhere inside the container call a function."""
    shortcut = QShortcut(QKeySequence(keys), container.native)
    shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    shortcut.activated.connect(slot)


def _form(section: ControlSection, natives: Mapping[str, QWidget]) -> QFormLayout:
    form = QFormLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    specs = _specs_of(section)
    buttons = {spec.right_of: natives[spec.name] for spec in specs if spec.right_of}
    for spec in specs:
        native = natives[spec.name]
        if spec.right_of:
            continue
        if spec.name in buttons:
            form.addRow(*_with_button(spec.title, native, buttons[spec.name]))
        elif spec.title:
            form.addRow(spec.title, native)
        else:
            form.addRow(native)
    return form


def _with_button(label: str, native: QWidget, button: QWidget) -> tuple[QLabel, QHBoxLayout]:
    named = QLabel(label)
    named.setBuddy(native)
    button.setFixedWidth(button.fontMetrics().horizontalAdvance("MM") + 2 * MARGIN)
    line = QHBoxLayout()
    line.addWidget(native, stretch=1)
    line.addWidget(button)
    return named, line


def _section(section: ControlSection, natives: Mapping[str, QWidget]) -> QCollapsible:
    collapsible = QCollapsible(expandedIcon=QIcon(), collapsedIcon=QIcon())

    def set_headline(*, expanded: bool) -> None:
        # A character, as an icon would not take the theme's color.
        collapsible.setText(f"{EXPANDED if expanded else COLLAPSED} {section.value}")

    set_headline(expanded=False)
    collapsible.toggled.connect(lambda expanded: set_headline(expanded=expanded))
    collapsible.toggleButton().setStyleSheet(HEADLINE)
    collapsible.layout().setContentsMargins(0, 0, 0, 0)  # collapsed, as high as its headline
    collapsible.layout().setSpacing(2)
    collapsible.setDuration(0)  # an animation would repaint the window at every step
    inside = QWidget()
    inside.setLayout(_form(section, natives))
    collapsible.addWidget(inside)
    return collapsible


def _let_shrink(native: QWidget) -> None:
    """Let a control be narrower than its longest text, or the dock would grow with a layer name."""
    native.setMinimumWidth(60)
    policy = native.sizePolicy()
    policy.setHorizontalPolicy(QSizePolicy.Policy.Ignored)
    native.setSizePolicy(policy)


def _let_wrap(native: QWidget) -> None:
    """Let a text break into lines, be as narrow as the dock, and be copied."""
    if isinstance(native, QLabel):
        native.setWordWrap(True)
        native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        native.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
