"""Maps of a question's prompts, painted plane by plane: by a run, or from what a run encoded."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from napari_clip_heatmap._napari.job.encoding_cache import LIMIT
from napari_clip_heatmap._napari.job.heatmap_stack import Picture
from napari_clip_heatmap._napari.job.request import Answer, Question
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.pipeline.scoring import plan_scoring
from napari_clip_heatmap.prompting.language import parse_prompt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_clip_heatmap.clip.text import TextEncoder
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.lazy import LazyHeatmaps

__all__ = ["Scored", "rescored"]

Index = tuple[int, ...]
Cells = tuple[slice, slice]


class Scored:
    """The maps of some prompts, as far as they are.

    Parameters
    ----------
    question : Question
    text : TextEncoder
    over : Picture, optional
        An earlier picture of the same planes, to paint over.

    Raises
    ------
    PromptError
        The prompts cannot be scored.
    """

    def __init__(self, question: Question, text: TextEncoder, over: Picture | None = None) -> None:
        self._question, self._over = question, over
        self._started = time.monotonic()
        self.scoring = plan_scoring(
            text, question.prompts, question.score, question.baseline, question.templates
        )
        self.keys = _keys(question)
        self.picture: Picture | None = None
        self._maps: dict[Index, LazyHeatmaps] = {}
        self._encodings: dict[Index, Encoding] = {}
        self._embeddings: dict[Index, NDArray[np.float32]] = {}
        self._tiling: dict[str, object] = {}

    def paint(self, index: Index, encoding: Encoding, cells: Cells | None = None) -> None:
        """Show what is known of a plane.

        Parameters
        ----------
        index : tuple of int
        encoding : Encoding
        cells : (slice, slice), optional
            The rectangle of lattice cells that has changed; by default all.
        """
        scoring, maps = self.scoring, self._maps.get(index)
        if maps is None or cells is None:
            cells = None
            maps = self._maps[index] = encoding.maps(scoring)
        else:
            maps.lattice_values[(slice(None), *cells)] = encoding.scored(scoring, cells)
        if self.picture is None:
            leading = self._question.leading
            self.picture = Picture(self.keys, encoding.lattice, leading, self._over)
        self.picture.paint(index, maps, cells)
        self._embeddings[index] = encoding.embedding
        self._tiling = encoding.describe()
        self._hold(index, encoding)

    def answer(self, reason: str | None, tiles: int = 0) -> Answer:
        """Return what there is.

        Parameters
        ----------
        reason : str, optional
            Why it will not become complete; empty: it is. None: it goes on.
        tiles : int
            Passed through the model for it.
        """
        if self.picture is None:
            raise RuntimeError("there is nothing to show yet")
        if reason is None:
            self.picture.widen_limits()
        else:
            self.picture.settle_limits()
        return Answer(
            picture=self.picture,
            limits=self.picture.limits,
            scoring=self.scoring,
            keys=self.keys,
            similarity=self.scoring.text @ np.mean([*self._embeddings.values()], axis=0),
            tiling=self._tiling,
            encodings=dict(self._encodings),
            tiles=tiles,
            seconds=time.monotonic() - self._started,
            complete=reason == "",
            reason=reason or "",
        )

    def _hold(self, index: Index, encoding: Encoding) -> None:
        """Keep an encoding for later prompts as long as memory allows, the first ones first."""
        others = (each for where, each in self._encodings.items() if where != index)
        taken = sum(each.token_map.nbytes for each in others)
        if not taken or taken + encoding.token_map.nbytes <= LIMIT:
            self._encodings[index] = encoding
        else:
            self._encodings.pop(index, None)


def rescored(answer: Answer, question: Question) -> Answer:
    """Answer other prompts from what was encoded; only the text tower has work to do.

    Parameters
    ----------
    answer : Answer
        Of the same image; its picture is painted over.
    question : Question
        The one that was answered, with other prompts, score, baseline or templates.

    Raises
    ------
    PromptError
        The prompts cannot be scored.
    ImageError
        Not all that was encoded is in memory.
    """
    if {*answer.encodings} != {*answer.planes}:
        raise ImageError(
            f"of {len(answer.planes)} slices {len(answer.encodings)} are still in memory, which "
            f"holds {LIMIT / 2**30:.0f} GB of them: press Run for these prompts"
        )
    encodings: Mapping[Index, Encoding] = answer.encodings
    text = next(iter(encodings.values())).text
    scored = Scored(question, text, answer.picture)
    for index, encoding in encodings.items():
        scored.paint(index, encoding)
    return scored.answer(answer.reason)


def _keys(question: Question) -> tuple[str, ...]:
    """Return the keys of prompts that differ, as `plan_scoring` tells them apart."""
    first: dict[str, str] = {}
    for prompt, key in zip(question.prompts, question.keys or question.prompts, strict=True):
        first.setdefault(parse_prompt(prompt).canonical, key)
    return tuple(first.values())
