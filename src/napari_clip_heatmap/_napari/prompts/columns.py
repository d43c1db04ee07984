"""The columns of the prompt table: what each shows, and the words and colours for it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from qtpy.QtCore import Qt

from napari_clip_heatmap.pipeline.checks import Verdict

__all__ = ["BAR", "HEADS", "SOLO_SIGN", "WORDS", "Column"]

BAR = Qt.ItemDataRole.UserRole
"""A length of 0..1 to be drawn behind a cell's text."""


class Column(IntEnum):
    """What a row shows, from left to right."""

    SHOWN = 0
    SOLO = 1
    COLOUR = 2
    PROMPT = 3
    SIMILARITY = 4
    HERE = 5
    WORTH = 6


HEADS: Mapping[Column, tuple[str, str]] = {
    Column.SHOWN: ("", "Show or hide this prompt's layer (Space)."),
    Column.SOLO: ("", "Show this prompt's layer alone; once more shows the others again (Space)."),
    Column.COLOUR: ("", "The layer's colours; click, or Space, for a choice."),
    Column.PROMPT: (
        "Prompt",
        (
            "What to look for. Names of one thing: nuclei | cell nuclei. A contrast: "
            "nuclei - background.\nF2 edits, Escape takes back, Enter adds the next, Delete "
            "removes, Ctrl+Up and Ctrl+Down move, Ctrl+V pastes many, Ctrl+Z undoes; rows can be "
            "dragged."
        ),
    ),
    Column.SIMILARITY: (
        "Image",
        (
            "How similar the whole image is to the prompt: the mean cosine over tiles. The bar "
            "runs from the least to the most similar prompt of the table."
        ),
    ),
    Column.HERE: (
        "Here",
        (
            "Where the value beneath the cursor lies between the map's least and its most; the "
            "values themselves are in the status bar."
        ),
    ),
    Column.WORTH: ("Worth", "Whether the map depends on the words; hover for the figures."),
}

SOLO_SIGN = "S"

WORDS = {
    Verdict.CLEAR: ("clear", "#3fa34d"),
    Verdict.WEAK: ("weak", "#c98a1b"),
    Verdict.HARDLY: ("hardly", "#d9534f"),
}
"""A verdict in a word, and in a colour that is read on dark and on light."""
