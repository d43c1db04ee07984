"""Rows of the prompt table: what the user wrote, and a name that stays when the words change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from napari_clip_heatmap.pipeline.checks import Verdict

__all__ = ["Figures", "Row", "lines_of", "rows_of"]


@dataclass(frozen=True)
class Row:
    """One prompt.

    Parameters
    ----------
    prompt : str
        As written; blank in a row that is only just begun.
    colormap : str
        Of its layer; empty: the usual one.
    key : str
        What its layer knows it by, whatever becomes of the words.
    """

    prompt: str
    colormap: str = ""
    key: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True)
class Figures:
    """What is known of a prompt's map.

    Parameters
    ----------
    similarity : float, optional
        Cosine of the whole of what was looked at.
    share : float
        Where that lies between the lowest and the highest in the table, 0..1.
    verdict : Verdict, optional
        What the map is worth.
    advice : str
        The same in sentences, with figures.
    """

    similarity: float | None = None
    share: float = 0.0
    verdict: Verdict | None = None
    advice: str = ""


def lines_of(text: str) -> list[str]:
    """Return the lines that have words, without the spaces around them."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def rows_of(prompts: Iterable[str], old: Sequence[Row] = ()) -> tuple[Row, ...]:
    """Return rows for prompts; one that has its row already keeps it."""
    spare = {row.prompt: row for row in reversed(old)}
    return tuple(spare.pop(p) if p in spare else Row(p) for p in prompts)
