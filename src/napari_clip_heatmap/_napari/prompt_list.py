"""Prompts as plain text, one a line: add, remove, reorder, paste and undo as in any text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from magicgui.widgets import TextEdit

__all__ = ["PromptList"]


class PromptList(TextEdit):
    """A text box whose value is its lines, a list of str; blank lines count for nothing.

    Parameters
    ----------
    placeholder : str
        Shown while it is empty.
    lines : int
        Smallest height, in lines of text.
    grows : bool
        Whether it takes the room that others leave.
    **options
        As magicgui's widgets take them.
    """

    def __init__(
        self, *, placeholder: str = "", lines: int = 5, grows: bool = True, **options: Any
    ) -> None:
        super().__init__(**options)
        box = self.native
        box.setAcceptRichText(False)  # a page pasted from a browser is its words only
        box.setTabChangesFocus(True)  # Tab leaves the box: the keyboard is not trapped in it
        box.setPlaceholderText(placeholder)
        margins = 2 * (box.frameWidth() + int(box.document().documentMargin()))
        box.setMinimumHeight(lines * box.fontMetrics().lineSpacing() + margins)
        if not grows:
            box.setMaximumHeight(box.minimumHeight())

    def get_value(self) -> list[str]:  # type: ignore[override]
        """Return the lines that have text, without the spaces around them."""
        lines = self.native.toPlainText().splitlines()
        return [line.strip() for line in lines if line.strip()]

    def set_value(self, value: str | Iterable[str]) -> None:
        """Take a list of prompts, or text with one a line."""
        # Not setText: it would read a prompt such as "<b>" as markup.
        self.native.setPlainText(value if isinstance(value, str) else "\n".join(value))

    def _on_value_change(self, value: Any = None) -> None:
        self.changed.emit(self.get_value())
