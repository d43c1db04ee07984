"""Lay out the dock widget's controls: a form, sections of which one is open, buttons below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QPoint, Qt, Signal
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QBoxLayout,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from napari_clip_heatmap._napari.views.control_spec import (
    SECTION_HELP,
    ControlSection,
    ControlSpec,
)
from napari_clip_heatmap._napari.views.controls import CONTROLS
from napari_clip_heatmap._napari.views.focus import FocusRing, require_focus_for_wheel

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

MARGIN = 8
"""Pixels to the left and right of the text of a small button."""

GAP = 2
"""Pixels between the buttons of sections."""

SECTION_BUTTON = "QPushButton { padding: 3px 7px; }"
"""Narrower than napari's, so that few lines hold all sections."""


class SectionTabs(QWidget):  # type: ignore[misc] # qtpy ships no types
    """Sections of which one is open, and a button for each.

    The buttons wrap into lines, and lie above the open section, or at the edge of what is visible
    where that place is scrolled away: each is always one click away.

    Signals
    -------
    currentChanged : int
        Another section is open.
    """

    currentChanged = Signal(int)  # noqa: N815 # as Qt's own tabs name it

    def __init__(self) -> None:
        super().__init__()
        self.buttons: list[QPushButton] = []
        self.texts: list[tuple[QScrollArea, int]] = []
        self.area: QScrollArea | None = None
        self._place = QWidget()  # keeps the buttons' place
        self._bar = QWidget(self)
        self._flow = QFlowLayout(self._bar)
        self._flow.setContentsMargins(0, GAP, 0, GAP)
        self._flow.setHorizontalSpacing(GAP)
        self._flow.setVerticalSpacing(GAP)
        self._pages = QStackedWidget()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._place)
        column.addWidget(self._pages)

    def lie_in(self, area: QScrollArea, *, after: QWidget) -> None:
        """Stay visible in an area that scrolls; Tab goes from a control to the buttons."""
        self.area = area
        self._bar.setParent(area.viewport())
        for watched in (area.viewport(), area.widget()):
            watched.installEventFilter(self)
        area.verticalScrollBar().valueChanged.connect(self._move_bar)
        for before, button in pairwise((after, *self.buttons)):
            QWidget.setTabOrder(before, button)

    def fit(self) -> None:
        """Make room for the font as it is now: in width for all sections, in height for texts."""
        self._widen()
        self._move_bar()
        for area, lines in self.texts:
            label = area.widget().findChild(QLabel)
            label.ensurePolished()
            area.setFixedHeight(lines * label.fontMetrics().lineSpacing() + SPARE)

    def add(self, section: ControlSection, content: QWidget) -> None:
        """Add a section as the last one; the first is open."""
        number = self._pages.addWidget(content)
        button = QPushButton(section.value)
        button.setStyleSheet(SECTION_BUTTON)
        button.setCheckable(True)
        button.setAutoExclusive(True)
        button.setChecked(number == 0)
        button.setFocusPolicy(_focus_of(chosen=number == 0))
        button.setToolTip(SECTION_HELP[section])
        button.toggled.connect(lambda checked: self._on_toggled(number, checked))
        button.clicked.connect(self.reveal)
        self.buttons.append(button)
        self._flow.addWidget(button)

    def count(self) -> int:
        """Return the number of sections."""
        return len(self.buttons)

    def setCurrentIndex(self, number: int) -> None:  # noqa: N802 # as Qt's own tabs name it
        """Open a section by its number."""
        self.buttons[number].setChecked(True)

    @property
    def title(self) -> str:
        """The title of the open section."""
        return str(self.buttons[self._pages.currentIndex()].text())

    def open(self, title: str) -> None:
        """Open a section; an unknown title changes nothing."""
        for button in self.buttons:
            if button.text() == title:
                button.setChecked(True)

    def reveal(self) -> None:
        """Scroll until the open section is visible, or as much of it as there is room for."""
        if self.area is None:
            return
        inside, page, bar = (
            self.area.widget(),
            self._pages.currentWidget(),
            self.area.verticalScrollBar(),
        )
        inside.layout().activate()
        end = page.mapTo(inside, QPoint(0, page.layout().sizeHint().height())).y()
        top = self._place.mapTo(inside, QPoint(0, 0)).y()
        bar.setValue(max(bar.value(), min(end - self.area.viewport().height(), top)))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if event.type() == QEvent.Type.Resize:
            self._move_bar()
        elif event.type() == QEvent.Type.LayoutRequest:  # another font, or a row that is shown
            self._widen()
        return bool(super().eventFilter(watched, event))

    def moveEvent(self, event: QEvent) -> None:  # noqa: N802
        super().moveEvent(event)
        self._move_bar()

    def _widen(self) -> None:
        """Let what scrolls never be wider than what is visible of it."""
        if self.area is not None:
            bar = self.area.verticalScrollBar()
            bar.ensurePolished()
            frame = 2 * self.area.frameWidth()  # napari's style sheet may draw one
            content = self.area.widget().minimumSizeHint().width()
            self.area.setMinimumWidth(content + bar.sizeHint().width() + frame)

    def _move_bar(self) -> None:
        """Lay the buttons where their place is, or as near as is visible."""
        if self.area is None:
            return
        port = self.area.viewport()
        height = self._flow.heightForWidth(port.width())
        if self._place.height() != height:
            self._place.setFixedHeight(height)
        wanted = self._place.mapTo(port, QPoint(0, 0)).y()
        top = min(max(wanted, 0), max(0, port.height() - height))
        self._bar.setGeometry(0, top, port.width(), height)
        self._bar.raise_()

    def _on_toggled(self, number: int, checked: bool) -> None:
        self.buttons[number].setFocusPolicy(_focus_of(chosen=checked))
        if checked:
            self._pages.setCurrentIndex(number)
            self.currentChanged.emit(number)


def _focus_of(*, chosen: bool) -> Qt.FocusPolicy:
    """Let Tab go to the open section's button, and arrow keys from there to the others."""
    return Qt.FocusPolicy.StrongFocus if chosen else Qt.FocusPolicy.ClickFocus


def lay_out(container: Container[Widget]) -> SectionTabs:
    """Replace a container's single column by a form, sections and rows of buttons.

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
        if not natives[spec.name].toolTip():
            natives[spec.name].setToolTip(spec.tooltip)  # for its parts that have none
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
    area = _scrolling(inside, LEAST)
    column.addWidget(area, stretch=1)
    last = _specs_of(ControlSection.FORM)[-1]
    tabs.lie_in(area, after=natives[last.name])
    for row in (ControlSection.RUN, ControlSection.LAYERS):
        column.addLayout(_row(row, natives))
    for row, lines in ((ControlSection.STATUS, STATUS_LINES), (ControlSection.NOTES, NOTE_LINES)):
        texts = _row(row, natives)
        texts.setAlignment(Qt.AlignmentFlag.AlignTop)
        tabs.texts.append((low := _scrolling(texts, 0), lines))
        column.addWidget(low)
    FocusRing(container.native)
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
    for form in native.parentWidget().layout().findChildren(QFormLayout):
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
