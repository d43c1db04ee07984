"""Lay the dock widget's controls out: a form, buttons side by side, room for the prompts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut  # type: ignore[attr-defined] # added by qtpy
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QSizePolicy

if TYPE_CHECKING:
    from magicgui.widgets import Container, Widget
    from qtpy.QtWidgets import QWidget

__all__ = ["add_shortcut", "arrange"]

FORM = ("image", "prompts", "model", "device", "score")
ROWS = (("baseline",), ("run", "cancel"), ("progress",), ("show_all", "hide_all", "remove_all"))
TEXTS = ("status", "notes")


def arrange(container: Container[Widget]) -> None:
    """Replace a container's one column, which labels its parts poorly, by a form and rows.

    The container keeps its parts and their names; only Qt's layout changes.
    """
    column = container.native.layout()
    natives: dict[str, QWidget] = {part.name: part.native for part in container}
    for native in natives.values():
        column.removeWidget(native)
    form = QFormLayout()
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for name in FORM:
        form.addRow(name.capitalize(), natives[name])
        _let_shrink(natives[name])
    column.addLayout(form)
    for row in ROWS:
        line = QHBoxLayout()
        for name in row:
            line.addWidget(natives[name])
        column.addLayout(line)
    for label in (natives[name] for name in TEXTS):
        if isinstance(label, QLabel):
            label.setWordWrap(True)
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column.addWidget(label)


def add_shortcut(container: Container[Widget], keys: str, slot: Callable[[], None]) -> None:
    """Let keys pressed anywhere inside the container call a function."""
    shortcut = QShortcut(QKeySequence(keys), container.native)
    shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    shortcut.activated.connect(slot)


def _let_shrink(native: QWidget) -> None:
    """Let a control be narrower than its longest text, or the dock would grow with a layer name."""
    native.setMinimumWidth(60)
    policy = native.sizePolicy()
    policy.setHorizontalPolicy(QSizePolicy.Policy.Ignored)
    native.setSizePolicy(policy)
