"""A part of the dock that says when it comes on screen, and when it leaves."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QWidget

__all__ = ["OnScreen"]


class OnScreen(QWidget):  # type: ignore[misc] # qtpy ships no types
    """A widget whose tab may be hidden, or whose section folded.

    Signals
    -------
    seen : bool
        Whether it is on screen, when that changes; scrolled out of sight counts as on screen.
    """

    seen = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._on_screen = False

    def update_seen(self, *_: object) -> None:
        """Look again: a folded section has no height, which no event tells what is inside."""
        on_screen = _is_on_screen(self)
        if on_screen != self._on_screen:
            self._on_screen = on_screen
            self.seen.emit(on_screen)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        super().showEvent(event)
        self.update_seen()

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802
        super().hideEvent(event)
        self.update_seen()


def _is_on_screen(widget: QWidget) -> bool:
    part: QWidget | None = widget
    while part is not None:
        folded = part is not widget and part.maximumHeight() == 0
        if not part.isVisible() or folded:
            return False
        part = part.parentWidget()
    return True
