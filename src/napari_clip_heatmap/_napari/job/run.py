"""One run: plane after plane encoded and painted, reported step by step."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_clip_heatmap._napari.job.encoding_cache import LIMIT, EncodingKey, content_key
from napari_clip_heatmap._napari.job.heatmap_stack import HeatmapStack
from napari_clip_heatmap._napari.job.request import (
    HeatmapRequest,
    HeatmapResult,
    PlaneRequest,
    ResultStatus,
    RunStep,
)
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.pipeline.progressive import encode_progressively
from napari_clip_heatmap.pipeline.scoring import build_scoring
from napari_clip_heatmap.prompting.language import distinct

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
"""Seconds between pictures, at least: the eye follows, and the window has time for the user."""

REST, LONGEST_REST = 8, 1.0
"""At least so many times as long as the last one took to draw, up to so many seconds."""

FINE = 0.999
"""Weight of the tiles that are done, from which nothing of a cell is taken from the preview."""

Cells = tuple[slice, slice]


class HeatmapRun:
    """Encodes what is not kept, and paints.

    Parameters
    ----------
    request : HeatmapRequest
    model : ClipModel
    kept : RecentEncodings
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
        request: HeatmapRequest,
        model: ClipModel,
        kept: RecentEncodings,
        cancelled: Callable[[], bool],
        encode: Callable[..., Iterator[Progress]] | None = None,
    ) -> None:
        self._request, self._model, self._recent = request, model, kept
        self._cancelled = cancelled
        self._encode = encode or encode_progressively
        self._started = self._painted = time.monotonic()
        self._scorer = PromptScorer(request, model.text)
        self._pending: tuple[tuple[int, ...], Encoding, Cells | None] | None = None
        self._current: tuple[tuple[int, ...], Encoding] | None = None
        self._rest, self._tiles, self._counted = REPAINT, 0, 0  # counted: of the current encoding

    @property
    def begun(self) -> bool:
        """Whether there is anything to show."""
        current = self._current
        return self._scorer.picture is not None or (
            current is not None and bool(current[1].accumulator.tile_mask.any())
        )

    def steps(self) -> Iterator[RunStep]:
        """Encode and paint all planes; yield steps, and partial results."""
        for number, plane in enumerate(self._request.planes):
            yield from self._plane(number, plane)
            if number == 0:
                self._paint_others()

    def result(
        self, status: ResultStatus = ResultStatus.PARTIAL, message: str = ""
    ) -> HeatmapResult:
        """Return what there is.

        Parameters
        ----------
        status : ResultStatus
        message : str
            Why it was stopped, if it was.
        """
        if status is not ResultStatus.PARTIAL and self._current is not None:
            self._note(*self._current, None)  # with tiles done since the last record
            self._tiles += self._current[1].n_done - self._counted
            self._counted = self._current[1].n_done
        self._flush()
        return self._scorer.result(status, message, tiles=self._tiles)

    def _plane(self, number: int, plane: PlaneRequest) -> Iterator[RunStep]:
        yield RunStep("Looking at the image")
        request, key = self._request, self._key(plane)
        resume, is_first = self._recent.get(key), True
        for record in self._encode(
            self._model,
            plane.channels,
            view=request.view,
            region=request.region,
            downsample=request.downsample,
            quality=request.quality,
            focus=request.focus,
            resume=resume,
            cancelled=self._cancelled,
        ):
            self._recent.put(key, record.encoding, request.stores)
            self._current = (plane.index, record.encoding)
            self._tiles += 0 if is_first else record.done - self._counted
            self._counted, is_first = record.done, False
            last = record.done == record.total
            if not record.done and record.encoding.coarse is None:
                yield self._step(number, record)
                continue
            whole = record.stage != "fine" or last
            self._note(plane.index, record.encoding, None if whole else record.changed)
            if whole or time.monotonic() - self._painted > self._rest:
                begun = time.monotonic()
                yield replace(self._step(number, record), result=self.result())
                self._painted = time.monotonic()
                self._rest = max(REPAINT, min(REST * (self._painted - begun), LONGEST_REST))

    def _key(self, plane: PlaneRequest) -> EncodingKey:
        request = self._request
        content = tuple(content_key(store, plane.index) for store in request.stores)
        slabs = tuple(each.slab for each in plane.channels)
        return EncodingKey(self._settings(), plane.index, (*content, slabs))

    def _settings(self) -> Hashable:
        request = self._request
        shown = tuple(each.style for each in request.planes[0].channels)
        return (
            request.model,
            request.device,
            request.precision,
            request.preprocess,
            request.view,
            shown if request.view.mode == "shown" or len(shown) > 1 else None,
            request.downsample,
            request.quality,
            tuple(id(store) for store in request.stores) if request.leading else None,
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
        self._scorer.paint(index, encoding, cells)
        picture = self._scorer.picture
        blank = picture is not None and picture.blank
        if blank and encoding.complete and not self._request.leading:
            self._scorer.picture = self._current = None
            raise ImageError(
                "the image has no valid pixel where it was asked: all are NaN, infinite or masked; "
                "choose another image, channel or region"
            )

    def _paint_others(self) -> None:
        """Paint the planes of the stack that were encoded before, if they are unchanged."""
        for key in self._recent.others(self._settings()) if self._request.leading else ():
            asked = {plane.index for plane in self._request.planes}
            stores = self._request.stores
            single = (None,) * len(stores)  # of thick slices it is not known what they hold now
            now = (*(content_key(store, key.index) for store in stores), single)
            encoding = self._recent.get(key)
            if key.index not in asked and key.content == now and encoding is not None:
                self._flush()
                self._paint(key.index, encoding, None)

    def _step(self, number: int, record: Progress) -> RunStep:
        n_planes = len(self._request.planes)
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
    """Heatmaps of some prompts, as far as they are known.

    Parameters
    ----------
    request : HeatmapRequest
    text : TextEncoder
    over : HeatmapStack, optional
        An earlier picture of the same planes, to paint over.

    Raises
    ------
    PromptError
        The prompts cannot be scored.
    """

    def __init__(
        self, request: HeatmapRequest, text: TextEncoder, over: HeatmapStack | None = None
    ) -> None:
        self._request, self._over = request, over
        self._started = time.monotonic()
        self.scoring = build_scoring(
            text, request.prompts, request.score, request.baseline, request.templates
        )
        self.keys = _keys(request)
        self.picture: HeatmapStack | None = None
        self._maps: dict[Index, LazyHeatmaps] = {}
        self._encodings: dict[Index, Encoding] = {}
        self._embeddings: dict[Index, NDArray[np.float32]] = {}
        self._unowned: dict[Index, NDArray[np.float32]] = {}
        self._tiling: dict[str, object] = {}
        self._image_notes: tuple[str, ...] = ()

    def paint(
        self,
        index: Index,
        encoding: Encoding,
        cells: Cells | None = None,
        keys: Collection[str] | None = None,
    ) -> None:
        """Show what is known of a plane.

        Parameters
        ----------
        index : tuple of int
        encoding : Encoding
        cells : (slice, slice), optional
            The rectangle of lattice cells that has changed; by default all.
        keys : collection of str, optional
            As `HeatmapStack.paint` takes them.
        """
        scoring, maps = self.scoring, self._maps.get(index)
        if maps is None or cells is None:
            cells = None
            maps = self._maps[index] = encoding.lazy_maps(scoring)
        else:
            maps.lattice_values[(slice(None), *cells)] = encoding.scored_cells(scoring, cells)
        if self.picture is None:
            leading = self._request.leading
            self.picture = HeatmapStack(self.keys, encoding.lattice, leading, self._over)
        self.picture.paint(index, maps, cells, keys)
        self._embeddings[index] = encoding.embedding
        self._unowned[index] = encoding.unowned
        self._tiling = encoding.describe()
        self._image_notes = encoding.notes
        self._hold(index, encoding)

    def result(self, status: ResultStatus, message: str = "", *, tiles: int = 0) -> HeatmapResult:
        """Return what there is.

        Parameters
        ----------
        status : ResultStatus
        message : str
            Why it was stopped, if it was.
        tiles : int
            Passed through the model for it.
        """
        if self.picture is None:
            raise RuntimeError("there is nothing to show yet")
        if status is ResultStatus.PARTIAL:
            self.picture.widen_limits()
        else:
            self.picture.settle_limits()
            self._stripe_previews(self.picture)
        return HeatmapResult(
            stack=self.picture,
            limits=self.picture.limits,
            scoring=self.scoring,
            keys=self.keys,
            similarity=self.scoring.text @ np.mean([*self._embeddings.values()], axis=0),
            unowned=self.scoring.text @ np.mean([*self._unowned.values()], axis=0),
            tiling=self._tiling,
            encodings=dict(self._encodings),
            tiles=tiles,
            seconds=time.monotonic() - self._started,
            status=status,
            message=message,
            view_notes=(*self._request.view_notes, *self._image_notes),
        )

    def _stripe_previews(self, picture: HeatmapStack) -> None:
        """Tell what is coarse apart from what is done, where a run ended before its end."""
        for index, encoding in self._encodings.items():
            if not encoding.complete:
                rows, columns = (slice(0, cells) for cells in encoding.lattice.grid)
                picture.stripe(index, encoding.accumulator.weights(rows, columns) < FINE)

    def _hold(self, index: Index, encoding: Encoding) -> None:
        """Keep an encoding for later prompts as long as memory allows, the first ones first."""
        others = (each for where, each in self._encodings.items() if where != index)
        taken = sum(each.token_map.nbytes for each in others)
        if not taken or taken + encoding.token_map.nbytes <= LIMIT:
            self._encodings[index] = encoding
        else:
            self._encodings.pop(index, None)


def rescore(
    result: HeatmapResult, request: HeatmapRequest, seen: Collection[str] | None = None
) -> HeatmapResult:
    """Score other prompts from what was encoded; only the text tower has work to do.

    Parameters
    ----------
    result : HeatmapResult
        Of the same image; its picture is painted over.
    request : HeatmapRequest
        The one that was shown, with other prompts, score, baseline or templates.
    seen : collection of str, optional
        Keys of the only maps that are painted at once; ``stack.paint_rest`` of what is returned
        paints the others.

    Raises
    ------
    PromptError
        The prompts cannot be scored.
    ImageError
        Not all that was encoded is in memory.
    """
    if {*result.encodings} != {*result.planes}:
        raise ImageError(
            f"of {len(result.planes)} slices {len(result.encodings)} are still in memory, which "
            f"holds {LIMIT / 2**30:.0f} GB of them: press Run for these prompts"
        )
    encodings: Mapping[Index, Encoding] = result.encodings
    text = next(iter(encodings.values())).text

    def score() -> HeatmapResult:
        scored = PromptScorer(request, text, result.stack)
        for index, encoding in encodings.items():
            scored.paint(index, encoding, keys=seen)
        return scored.result(result.status, result.message)

    return text.in_one_thread(score)


def _keys(request: HeatmapRequest) -> tuple[str, ...]:
    """Return the keys of prompts that differ, as `build_scoring` tells them apart."""
    first: dict[str, str] = {}
    for number, line in enumerate(request.prompts):
        (prompt,) = distinct(line)
        first.setdefault(prompt.canonical, request.keys[number] if request.keys else prompt.text)
    return tuple(first.values())
