"""What the maps are worth, judged away from the window once they are on screen."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from napari_clip_heatmap._napari.latest import Latest
from napari_clip_heatmap._napari.controllers.live_update import Answered
from napari_clip_heatmap._napari.prompts.rows import Figures
from napari_clip_heatmap.pipeline.verdicts import Honesty, judge
from napari_clip_heatmap.pipeline.null_reference import Yardstick, make_yardstick

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = ["Worth", "figures_of"]

PATIENCE = 150
"""Milliseconds without a new answer: a verdict may come after the map, and must not hold it up."""


class Worth:
    """Judges answers; the measure of an image is taken once.

    Parameters
    ----------
    found : callable(Answered, Honesty)
    refused : callable(str)
        Told why there is no verdict.
    """

    def __init__(
        self, found: Callable[[Answered, Honesty], None], refused: Callable[[str], None]
    ) -> None:
        self._found = found
        self._latest = Latest(lambda both: found(*both), refused, PATIENCE)
        self._measure: tuple[tuple[Encoding, bool, tuple[str, ...]], Yardstick] | None = None

    def wish(self, answered: Answered) -> None:
        """Judge an answer, soon."""
        self._latest.wish(lambda: partial(self._judged, answered))

    def close(self) -> None:
        """Judge no more."""
        self._latest.close()
        self._measure = None

    def _judged(self, answered: Answered) -> tuple[Answered, Honesty]:
        """Judge the plane that is seen; of a stack, the others may be worth more or less."""
        answer, image = answered.answer, answered.image
        encoding = answer.encodings[answer.planes[0]]
        scoring = answer.scoring
        # The same encoding fills on: one that was not complete is another when it is.
        named = encoding, encoding.complete, scoring.templates
        if self._measure is None or self._measure[0] != named:
            self._measure = named, make_yardstick(encoding, scoring.templates)
        y, x = (abs(float(length)) for length in image.scale[-2:])
        honesty = judge(
            encoding, scoring, self._measure[1], pixel_size=(y, x), unit=str(image.units[-1])
        )
        return answered, honesty


def figures_of(answered: Answered, honesty: Honesty | None = None) -> dict[str, Figures]:
    """Return what the table shows of each row of an answer."""
    answer = answered.answer
    low, high = float(answer.similarity.min()), float(answer.similarity.max())
    spread = high - low or 1.0
    figures = {}
    for number, (key, value) in enumerate(zip(answer.keys, answer.similarity, strict=True)):
        check = honesty.checks[number] if honesty is not None else None
        figures[key] = Figures(
            similarity=float(value),
            share=(float(value) - low) / spread,
            verdict=check.verdict if check else None,
            advice=f"{check.verdict}. {check.advice}\n({check.figures}.)" if check else "",
        )
    return figures
