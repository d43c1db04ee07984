"""One run: plane after plane encoded and painted, told step by step."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_clip_heatmap._napari.job.encoding_cache import LIMIT, EncodingKey, content_key
from napari_clip_heatmap._napari.job.heatmap_stack import HeatmapStack
from napari_clip_heatmap._napari.job.request import (
    HeatmapRequest,
    HeatmapResult,
    PlaneRequest,
    RunStep,
)
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.pipeline.progressive import encode_progressively
from napari_clip_heatmap.pipeline.scoring import build_scoring
from napari_clip_heatmap.prompting.language import parse_prompt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_clip_heatmap._napari.job.encoding_cache import RecentEncodings
    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.clip.text import TextEncoder
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.heatmaps import LazyHeatmaps
    from napari_clip_heatmap.pipeline.progressive import Progress

__all__ = ["HeatmapRun", "PromptScorer", "rescore"]


REPAINT = 0.25
"""Seconds between pictures: the eye follows, and the window has time for the user."""

Cells = tuple[slice, slice]


class HeatmapRun:
    """Encodes what is not kept, and paints.

    Parameters
    ----------
    question : HeatmapRequest
    model : ClipModel
    kept : RecentEncodings
        What was encoded before; filled on.
    cancelled : callable() -> bool
    encode : callable, optional
        Stands in for `encode_progressively`, such as `encode_cached` with a cache.

    Raises
    ------
    PromptError
        The prompts cannot be scored.
    """

    def __init__(
        self,
        question: HeatmapRequest,
        model: ClipModel,
        kept: RecentEncodings,
        cancelled: Callable[[], bool],
        encode: Callable[..., Iterator[Progress]] | None = None,
    ) -> None:
        self._question, self._model, self._kept = question, model, kept
        self._cancelled = cancelled
        self._encode = encode or encode_progressively
        self._started = self._painted = time.monotonic()
        self._scored = PromptScorer(question, model.text)
        self._pending: tuple[tuple[int, ...], Encoding, Cells | None] | None = None
        self._current: tuple[tuple[int, ...], Encoding] | None = None
        self._tiles = 0

    @property
    def begun(self) -> bool:
        """Whether there is anything to show."""
        current = self._current
        return self._scored.picture is not None or (
            current is not None and bool(current[1].accumulator.tile_mask.any())
        )

    def steps(self) -> Iterator[RunStep]:
        """Do all planes; yields what is being done, and answers as far as they are."""
        for number, plane in enumerate(self._question.planes):
            yield from self._plane(number, plane)
            if number == 0:
                self._paint_others()

    def answer(self, reason: str | None = None) -> HeatmapResult:
        """Return what there is.

        Parameters
        ----------
        reason : str, optional
            Why it will not become complete; empty: it is. None: it goes on.
        """
        if reason is not None and self._current is not None:
            self._note(*self._current, None)  # with tiles done since the last record
        self._flush()
        return self._scored.answer(reason, self._tiles)

    def _plane(self, number: int, plane: PlaneRequest) -> Iterator[RunStep]:
        yield RunStep("Looking at the image")
        question, key = self._question, self._key(plane)
        resume = self._kept.get(key)
        before: int | None = None
        for record in self._encode(
            self._model,
            plane.channels,
            view=question.view,
            region=question.region,
            downsample=question.downsample,
            focus=question.focus,
            resume=resume,
            cancelled=self._cancelled,
        ):
            self._kept.put(key, record.encoding, question.stores)
            self._current = (plane.index, record.encoding)
            self._tiles += record.done - (record.done if before is None else before)
            before = record.done
            last = record.done == record.total
            if not record.done and record.encoding.coarse is None:
                yield self._step(number, record)
                continue
            whole = record.stage != "fine" or last
            self._note(plane.index, record.encoding, None if whole else record.changed)
            if whole or time.monotonic() - self._painted > REPAINT:
                yield replace(self._step(number, record), answer=self.answer())
                self._painted = time.monotonic()

    def _key(self, plane: PlaneRequest) -> EncodingKey:
        question = self._question
        content = tuple(content_key(store, plane.index) for store in question.stores)
        slabs = tuple(each.slab for each in plane.channels)
        return EncodingKey(self._settings(), plane.index, (*content, slabs))

    def _settings(self) -> Hashable:
        question = self._question
        shown = tuple(each.style for each in question.planes[0].channels)
        return (
            question.model,
            question.device,
            question.precision,
            question.preprocess,
            question.view,
            shown if question.view.mode == "shown" or len(shown) > 1 else None,
            question.downsample,
            tuple(id(store) for store in question.stores) if question.leading else None,
        )

    def _note(self, index: tuple[int, ...], encoding: Encoding, cells: Cells | None) -> None:
        """Remember what is to be painted; of one plane at a time, so another is painted first."""
        if self._pending is not None:
            if self._pending[0] != index:
                self._flush()
            elif cells is not None and self._pending[2] is not None:
                cells = _union(cells, self._pending[2])
            else:
                cells = None
        self._pending = (index, encoding, cells)

    def _flush(self) -> None:
        if self._pending is not None:
            self._paint(*self._pending)
            self._pending = None

    def _paint(self, index: tuple[int, ...], encoding: Encoding, cells: Cells | None) -> None:
        self._scored.paint(index, encoding, cells)
        picture = self._scored.picture
        blank = picture is not None and picture.blank
        if blank and encoding.complete and not self._question.leading:
            self._scored.picture = self._current = None
            raise ImageError(
                "the image has no valid pixel where it was asked: all are NaN, infinite or masked; "
                "choose another image, channel or region"
            )

    def _paint_others(self) -> None:
        """Paint the planes of the stack that were encoded before, if they are unchanged."""
        for key in self._kept.others(self._settings()) if self._question.leading else ():
            asked = {plane.index for plane in self._question.planes}
            stores = self._question.stores
            single = (None,) * len(stores)  # of thick slices it is not known what they hold now
            now = (*(content_key(store, key.index) for store in stores), single)
            encoding = self._kept.get(key)
            if key.index not in asked and key.content == now and encoding is not None:
                self._flush()
                self._paint(key.index, encoding, None)

    def _step(self, number: int, record: Progress) -> RunStep:
        n_planes = len(self._question.planes)
        slices = f"Slice {number + 1} of {n_planes}, " if n_planes > 1 else ""
        tiles = f"Tile {record.done} of {record.total}"
        left: float | None = None
        if record.left is not None:
            per_plane = (time.monotonic() - self._started + record.left) / (number + 1)
            left = record.left + per_plane * (n_planes - number - 1)
        return RunStep(
            f"{slices}{tiles.lower() if slices else tiles}",
            number * record.total + record.done,
            n_planes * record.total,
            left,
        )


def _union(first: Cells, second: Cells) -> Cells:
    y, x = (
        slice(min(a.start, b.start), max(a.stop, b.stop))
        for a, b in zip(first, second, strict=True)
    )
    return y, x


Index = tuple[int, ...]


class PromptScorer:
    """The maps of some prompts, as far as they are.

    Parameters
    ----------
    question : HeatmapRequest
    text : TextEncoder
    over : HeatmapStack, optional
        An earlier picture of the same planes, to paint over.

    Raises
    ------
    PromptError
        The prompts cannot be scored.
    """

    def __init__(
        self, question: HeatmapRequest, text: TextEncoder, over: HeatmapStack | None = None
    ) -> None:
        self._question, self._over = question, over
        self._started = time.monotonic()
        self.scoring = build_scoring(
            text, question.prompts, question.score, question.baseline, question.templates
        )
        self.keys = _keys(question)
        self.picture: HeatmapStack | None = None
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
            maps = self._maps[index] = encoding.lazy_maps(scoring)
        else:
            maps.lattice_values[(slice(None), *cells)] = encoding.scored_cells(scoring, cells)
        if self.picture is None:
            leading = self._question.leading
            self.picture = HeatmapStack(self.keys, encoding.lattice, leading, self._over)
        self.picture.paint(index, maps, cells)
        self._embeddings[index] = encoding.embedding
        self._tiling = encoding.describe()
        self._hold(index, encoding)

    def answer(self, reason: str | None, tiles: int = 0) -> HeatmapResult:
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
        return HeatmapResult(
            stack=self.picture,
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


def rescore(answer: HeatmapResult, question: HeatmapRequest) -> HeatmapResult:
    """Score other prompts from what was encoded; only the text tower has work to do.

    Parameters
    ----------
    answer : HeatmapResult
        Of the same image; its picture is painted over.
    question : HeatmapRequest
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
    scored = PromptScorer(question, text, answer.stack)
    for index, encoding in encodings.items():
        scored.paint(index, encoding)
    return scored.answer(answer.reason)


def _keys(question: HeatmapRequest) -> tuple[str, ...]:
    """Return the keys of prompts that differ, as `build_scoring` tells them apart."""
    first: dict[str, str] = {}
    for prompt, key in zip(question.prompts, question.keys or question.prompts, strict=True):
        first.setdefault(parse_prompt(prompt).canonical, key)
    return tuple(first.values())
