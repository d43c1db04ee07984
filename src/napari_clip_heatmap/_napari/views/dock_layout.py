"""Lay the dock widget's controls out: a form, folded sections, room for the prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QIcon, QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

if TYPE_CHECKING:
    from magicgui.widgets import Container, Widget

__all__ = ["add_shortcut", "lay_out", "show_row"]

FORM = ("image", "model", "device", "prompts", "score", "templates")
BESIDE = {"model": "choose"}
"""A small button to the right of a part of the form."""

SECTIONS = {
    "How the model is loaded": ("precision", "preprocess"),
    "What the model sees": (
        "preview",
        "channels",
        "view",
        "invert",
        "resolution",
        "resolution_info",
    ),
    "Where, and which slices": ("where", "slices", "along", "first", "last"),
    "How maps are shown": ("colormap", "scale", "transparent_low", "color_bar"),
    "What a click finds": ("ranking_list", "ranked"),
}
"""What most runs leave as it is; folded away until wanted."""

LABELS = {
    "channels": "Also",
    "preview": "",
    "resolution_info": "",
    "invert": "",
    "prompts": "",
    "transparent_low": "",
    "color_bar": "",
    "ranked": "",
}
"""Where the label in front is not the part's name; without one the part has the whole row."""

HEADLINE = "text-align: left; border: none; background: transparent; padding: 2px;"
"""Not a button among buttons; napari would colour one that is down like a selection."""

FOLDED, UNFOLDED = "\N{BLACK RIGHT-POINTING TRIANGLE}", "\N{BLACK DOWN-POINTING TRIANGLE}"

ROWS = (("run", "cancel"), ("progress",), ("show_all", "hide_all", "remove_all", "more"))
LEAST, NOTES = 220, 84
"""Height in pixels of the controls at least, and of the notes."""

SCROLL_BAR = 14
"""Pixels that it takes from the table where there is one."""

MARGIN = 8
"""Pixels to the left and right of the text of a small button."""

TEXTS = ("status", "notes", "resolution_info", "ranked")
SHRINKING = (
    *FORM,
    "precision",
    "preprocess",
    "colormap",
    "scale",
    "ranking_list",
    "channels",
    "view",
    "resolution",
    "where",
    "slices",
    "along",
    "first",
    "last",
)


def lay_out(container: Container[Widget]) -> Mapping[str, QCollapsible]:
    """Replace a container's one column, which labels its parts poorly, by a form and rows.

    The container keeps its parts and their names; only Qt's layout changes.

    Returns
    -------
    mapping of str to QCollapsible
        The sections, by title.
    """
    column = container.native.layout()
    natives: dict[str, QWidget] = {part.name: part.native for part in container}
    for native in natives.values():
        column.removeWidget(native)
    for name in SHRINKING:
        _let_shrink(natives[name])
    for name in TEXTS:
        _let_wrap(natives[name])
    table = natives["prompts"]
    margins = column.contentsMargins()
    container.native.setMinimumWidth(
        table.minimumSizeHint().width() + margins.left() + margins.right() + SCROLL_BAR
    )
    sections = {title: _section(title, names, natives) for title, names in SECTIONS.items()}
    inside = QVBoxLayout()
    inside.addLayout(_form(FORM, natives))
    inside.addWidget(natives["baseline"])
    for section in sections.values():
        inside.addWidget(section)
    # Below it, Run and what it says are always seen.
    column.addWidget(_scrolling(inside, LEAST), stretch=1)
    for row in ROWS:
        line = QHBoxLayout()
        for name in row:
            line.addWidget(natives[name])
        column.addLayout(line)
    column.addWidget(natives["status"])
    notes = QVBoxLayout()
    notes.addWidget(natives["notes"])
    area = _scrolling(notes, NOTES)
    area.setMaximumHeight(NOTES)
    column.addWidget(area)
    return sections


def _scrolling(layout: QVBoxLayout, height: int) -> QScrollArea:
    """Return a place that asks the window for little height, and scrolls what needs more."""
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
    """Show or hide a part of a form together with the label before it."""
    native = container[name].native
    form = native.parentWidget().layout()
    if isinstance(form, QFormLayout):
        form.setRowVisible(native, shown)


def add_shortcut(container: Container[Widget], keys: str, slot: Callable[[], None]) -> None:
    """Let keys pressed anywhere inside the container call a function."""
    shortcut = QShortcut(QKeySequence(keys), container.native)
    shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    shortcut.activated.connect(slot)


def _form(names: Iterable[str], natives: Mapping[str, QWidget]) -> QFormLayout:
    form = QFormLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for name in names:
        if name in BESIDE:
            form.addRow(*_with_button(name.capitalize(), natives[name], natives[BESIDE[name]]))
        elif label := LABELS.get(name, name.capitalize()):
            form.addRow(label, natives[name])
        else:
            form.addRow(natives[name])
    return form


def _with_button(label: str, native: QWidget, button: QWidget) -> tuple[QLabel, QHBoxLayout]:
    named = QLabel(label)
    named.setBuddy(native)
    button.setFixedWidth(button.fontMetrics().horizontalAdvance("MM") + 2 * MARGIN)
    line = QHBoxLayout()
    line.addWidget(native, stretch=1)
    line.addWidget(button)
    return named, line


def _section(title: str, names: Iterable[str], natives: Mapping[str, QWidget]) -> QCollapsible:
    section = QCollapsible(expandedIcon=QIcon(), collapsedIcon=QIcon())

    def tell(*, unfolded: bool) -> None:
        # In the text, as an icon would not take the theme's colour.
        section.setText(f"{UNFOLDED if unfolded else FOLDED} {title}")

    tell(unfolded=False)
    section.toggled.connect(lambda unfolded: tell(unfolded=unfolded))
    section.toggleButton().setStyleSheet(HEADLINE)
    section.layout().setContentsMargins(0, 0, 0, 0)  # folded, as high as its headline
    section.layout().setSpacing(2)
    section.setDuration(0)  # an animation would repaint the window all along
    inside = QWidget()
    inside.setLayout(_form(names, natives))
    section.addWidget(inside)
    return section


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
