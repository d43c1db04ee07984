"""Maps that follow the prompts while they are typed: no tower looks at the image again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from napari_clip_heatmap._napari.latest import Latest
from napari_clip_heatmap._napari.scored import rescored

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_clip_heatmap._napari.job.request import Answer, Question

__all__ = ["Answered", "Live"]

PATIENCE = 30
"""Milliseconds after a keystroke before its maps are made: less than to the next one."""


@dataclass(frozen=True, eq=False)
class Answered:
    """A question, its answer, and the layer that it was about."""

    image: Image
    question: Question
    answer: Answer


class Live:
    """Keeps what was answered last, and answers it anew when the prompts change.

    Parameters
    ----------
    asked : callable(Answered)
        Returns the question as the controls have it now, or None where there is nothing to answer.
    found : callable(Answered)
        Told of a new answer.
    refused : callable(str)
        Told why there is none.
    """

    def __init__(
        self,
        asked: Callable[[Answered], Question | None],
        found: Callable[[Answered], None],
        refused: Callable[[str], None],
    ) -> None:
        self.last: Answered | None = None
        self._asked, self._found = asked, found
        self._latest = Latest(self._on_found, refused, PATIENCE)

    def wish(self) -> None:
        """Let the maps follow what the controls say now."""
        self._latest.wish(self._prepare)

    def close(self) -> None:
        """Answer no more."""
        self._latest.close()
        self.last = None

    def _prepare(self) -> Callable[[], Answered] | None:
        last = self.last
        question = None if last is None else self._asked(last)
        if last is None or question is None:
            return None
        return partial(_answer, last, question)

    def _on_found(self, answered: Answered) -> None:
        if self.last is not None and self.last.image is answered.image:
            self.last = answered
            self._found(answered)


def _answer(last: Answered, question: Question) -> Answered:
    return Answered(last.image, question, rescored(last.answer, question))
