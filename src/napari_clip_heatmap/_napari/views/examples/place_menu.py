"""The menu of a place on the canvas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QMenu, QWidget

__all__ = ["open_menu"]


def open_menu(entries: Sequence[tuple[str, Callable[[], Any]]], parent: QWidget) -> QMenu:
    """Open a menu at the mouse; it goes away by itself.

    Parameters
    ----------
    entries : sequence of (str, callable)
    parent : QWidget
        Owns the menu.
    """
    menu = QMenu(parent)
    menu.setObjectName("place_menu")
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    for text, action in entries:
        menu.addAction(text, action)
    # Not exec: a nested event loop would let the viewer change beneath this call.
    menu.popup(QCursor.pos())
    return menu
