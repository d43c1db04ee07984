"""Maps that follow the prompts while they are typed: no tower looks at the image again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from napari_clip_heatmap._napari.controllers.background import LatestTask
from napari_clip_heatmap._napari.job.run import rescore
from napari_clip_heatmap._napari.views.prompt_model import RowFigures
from napari_clip_heatmap.pipeline.null_reference import NullReference, make_null_reference
from napari_clip_heatmap.pipeline.verdicts import Assessment, assess_scoring

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_clip_heatmap._napari.job.request import HeatmapRequest, HeatmapResult
    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = ["LayerResult", "LiveUpdater", "VerdictWorker", "figures_of"]


DEBOUNCE_MS = 30
"""Milliseconds after a keystroke before its maps are made: less than to the next one."""


@dataclass(frozen=True, eq=False)
class LayerResult:
    """A question, its answer, and the layer that it was about."""

    image: Image
    question: HeatmapRequest
    answer: HeatmapResult


class LiveUpdater:
    """Keeps what was answered last, and answers it anew when the prompts change.

    Parameters
    ----------
    asked : callable(LayerResult)
        Returns the question as the controls have it now, or None where there is nothing to answer.
    found : callable(LayerResult)
        Told of a new answer.
    refused : callable(str)
        Told why there is none.
    """

    def __init__(
        self,
        asked: Callable[[LayerResult], HeatmapRequest | None],
        found: Callable[[LayerResult], None],
        refused: Callable[[str], None],
    ) -> None:
        self.last: LayerResult | None = None
        self._asked, self._found = asked, found
        self._latest = LatestTask(self._on_found, refused, DEBOUNCE_MS)

    def submit(self) -> None:
        """Let the maps follow what the controls say now."""
        self._latest.submit(self._prepare)

    def close(self) -> None:
        """Stop following the prompts."""
        self._latest.close()
        self.last = None

    def _prepare(self) -> Callable[[], LayerResult] | None:
        last = self.last
        question = None if last is None else self._asked(last)
        if last is None or question is None:
            return None
        return partial(_answer, last, question)

    def _on_found(self, answered: LayerResult) -> None:
        if self.last is not None and self.last.image is answered.image:
            self.last = answered
            self._found(answered)


def _answer(last: LayerResult, question: HeatmapRequest) -> LayerResult:
    return LayerResult(last.image, question, rescore(last.answer, question))


VERDICT_DEBOUNCE_MS = 150
"""Milliseconds without a new answer: a verdict may come after the map, and must not hold it up."""


class VerdictWorker:
    """Judges answers; the measure of an image is taken once.

    Parameters
    ----------
    found : callable(LayerResult, Assessment)
    refused : callable(str)
        Told why there is no verdict.
    """

    def __init__(
        self, found: Callable[[LayerResult, Assessment], None], refused: Callable[[str], None]
    ) -> None:
        self._found = found
        self._latest = LatestTask(lambda both: found(*both), refused, VERDICT_DEBOUNCE_MS)
        self._measure: tuple[tuple[Encoding, bool, tuple[str, ...]], NullReference] | None = None

    def submit(self, answered: LayerResult) -> None:
        """Judge an answer, soon."""
        self._latest.submit(lambda: partial(self._judged, answered))

    def close(self) -> None:
        """Judge no more."""
        self._latest.close()
        self._measure = None

    def _judged(self, answered: LayerResult) -> tuple[LayerResult, Assessment]:
        """Judge the plane that is seen; of a stack, the others may be worth more or less."""
        answer, image = answered.answer, answered.image
        encoding = answer.encodings[answer.planes[0]]
        scoring = answer.scoring
        # The same encoding fills on: one that was not complete is another when it is.
        named = encoding, encoding.complete, scoring.templates
        if self._measure is None or self._measure[0] != named:
            self._measure = named, make_null_reference(encoding, scoring.templates)
        y, x = (abs(float(length)) for length in image.scale[-2:])
        honesty = assess_scoring(
            encoding, scoring, self._measure[1], pixel_size=(y, x), unit=str(image.units[-1])
        )
        return answered, honesty


def figures_of(answered: LayerResult, honesty: Assessment | None = None) -> dict[str, RowFigures]:
    """Return what the table shows of each row of an answer."""
    answer = answered.answer
    low, high = float(answer.similarity.min()), float(answer.similarity.max())
    spread = high - low or 1.0
    figures = {}
    for number, (key, value) in enumerate(zip(answer.keys, answer.similarity, strict=True)):
        check = honesty.checks[number] if honesty is not None else None
        figures[key] = RowFigures(
            similarity=float(value),
            share=(float(value) - low) / spread,
            verdict=check.verdict if check else None,
            advice=f"{check.verdict}. {check.advice}\n({check.figures}.)" if check else "",
        )
    return figures
