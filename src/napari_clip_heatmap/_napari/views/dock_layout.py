"""Lay out the dock widget's controls: a form, tabs, and buttons below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QBoxLayout,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_clip_heatmap._napari.views.control_spec import (
    SECTION_HELP,
    ControlSection,
    ControlSpec,
)
from napari_clip_heatmap._napari.views.controls import CONTROLS
from napari_clip_heatmap._napari.views.wheel_focus import require_focus_for_wheel

if TYPE_CHECKING:
    from magicgui.widgets import Container, Widget

__all__ = ["SectionTabs", "add_shortcut", "lay_out", "show_row"]

LEAST = 220
"""Least height of what scrolls, in pixels."""

SPARE = 12
"""Pixels that Qt needs around these lines."""

STATUS_LINES, NOTE_LINES = 2, 4
"""Lines of text for which there is always room, so that nothing jumps when a text comes."""

FLAT = "QGroupBox { border: none; margin: 0; padding: 0; }"
"""Of choices in the row of another control."""

SCROLL_BAR = 14
"""Width in pixels that a scroll bar takes from the table."""

MARGIN = 8
"""Pixels to the left and right of the text of a small button."""


class SectionTabs(QTabWidget):  # type: ignore[misc] # qtpy ships no types
    """The sections of which one is visible at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.setDocumentMode(True)
        self.tabBar().setDrawBase(False)
        self.setUsesScrollButtons(True)
        self._titles: list[str] = []
        self.around: QScrollArea | None = None
        self.texts: list[tuple[QScrollArea, int]] = []

    def fit(self) -> None:
        """Make room for the font as it is now: in width for the controls, in height for texts."""
        if self.around is not None:
            width = self.around.widget().minimumSizeHint().width()
            self.around.setMinimumWidth(width + SCROLL_BAR)
        for area, lines in self.texts:
            label = area.widget().findChild(QLabel)
            label.ensurePolished()
            area.setFixedHeight(lines * label.fontMetrics().lineSpacing() + SPARE)

    def add(self, section: ControlSection, content: QWidget) -> None:
        """Add a section as the last tab."""
        number = self.addTab(content, section.value)
        self.setTabToolTip(number, SECTION_HELP[section])
        self._titles.append(section.value)

    @property
    def title(self) -> str:
        """The title of the visible section."""
        number: int = self.currentIndex()
        return self._titles[number]

    def open(self, title: str) -> None:
        """Show a section; an unknown title changes nothing."""
        if title in self._titles:
            self.setCurrentIndex(self._titles.index(title))


def lay_out(container: Container[Widget]) -> SectionTabs:
    """Replace a container's single column by a form, tabs and rows of buttons.

    The container keeps its controls and their names; only Qt's layout changes.

    Returns
    -------
    SectionTabs
        The sections.
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
    tabs = SectionTabs()
    for section in ControlSection:
        if section.is_tab:
            tabs.add(section, _page(section, natives))
    inside = QVBoxLayout()
    inside.addLayout(_form(ControlSection.FORM, natives))
    inside.addWidget(tabs)
    inside.addStretch(1)
    # Outside of what scrolls, so that Run and its messages are always visible, in one place.
    tabs.around = _scrolling(inside, LEAST)
    column.addWidget(tabs.around, stretch=1)
    for row in (ControlSection.RUN, ControlSection.LAYERS):
        column.addLayout(_row(row, natives))
    for row, lines in ((ControlSection.STATUS, STATUS_LINES), (ControlSection.NOTES, NOTE_LINES)):
        texts = _row(row, natives)
        texts.setAlignment(Qt.AlignmentFlag.AlignTop)
        tabs.texts.append((area := _scrolling(texts, 0), lines))
        column.addWidget(area)
    tabs.fit()
    return tabs


def _page(section: ControlSection, natives: Mapping[str, QWidget]) -> QWidget:
    page = QWidget()
    column = QVBoxLayout(page)
    column.setContentsMargins(0, 4, 0, 0)
    column.addLayout(_form(section, natives))
    column.addStretch(1)
    return page


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
    for form in native.parentWidget().findChildren(QFormLayout):
        if form.indexOf(native) >= 0:
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
    if isinstance(button, QPushButton):
        button.setFixedWidth(button.fontMetrics().horizontalAdvance("MM") + 2 * MARGIN)
    else:
        button.setStyleSheet(FLAT)
        if button.layout() is not None:
            button.layout().setContentsMargins(0, 0, 0, 0)
    line = QHBoxLayout()
    line.addWidget(native, stretch=1)
    line.addWidget(button)
    return named, line


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
        native.setAlignment(Qt.AlignmentFlag.AlignTop)
        native.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
