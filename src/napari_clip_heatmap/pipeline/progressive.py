"""Encode an image step by step: a coarse preview first, then tile after tile."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from napari_clip_heatmap.errors import Cancelled, ImageError, SettingsError, shown_value
from napari_clip_heatmap.imaging.channel import Channel, as_channels
from napari_clip_heatmap.imaging.lattice import OVERLAP, Lattice, Quality, plan
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.source import ImageSource, is_blank, read_tile
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.batches import (
    BatchedForward,
    Tile,
    TileOutput,
    forward_tile,
    read_ahead,
    read_now,
)
from napari_clip_heatmap.pipeline.encoding import Encoding
from napari_clip_heatmap.pipeline.token_grid import TokenAccumulator, encode_coarsely
from napari_clip_heatmap.validation import function, instance, integer, numbers

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["Progress", "check_encode_settings", "encode_progressively"]


_ROWS = 256
"""Rows of pixels checked at once."""

_BLANKS = 256
"""Blank tiles added before progress is reported."""


@dataclass(frozen=True, eq=False)
class Progress:
    """How far an encoding has come.

    Parameters
    ----------
    stage : {"start", "coarse", "fine"}
        Nothing was computed yet; the coarse preview is done; some tiles are done.
    done, total : int
        Tiles of the region, including those of an earlier run.
    elapsed : float
        Seconds since the start of this run.
    left : float, optional
        Estimated seconds for the remaining tiles; None before the first tile.
    changed : (slice, slice), optional
        The rectangle of lattice cells (y, x) that changed since the last record.
    encoding : Encoding
        What is known now. It is filled further, but does not change between records.
    """

    stage: Literal["start", "coarse", "fine"]
    done: int
    total: int
    elapsed: float
    left: float | None
    changed: tuple[slice, slice] | None
    encoding: Encoding


def encode_progressively(
    model: ClipModel,
    image: ArrayLike | Channel | Sequence[Channel],
    *,
    view: View | None = None,
    region: Region | None = None,
    downsample: float | Literal["auto"] = "auto",
    overlap: float = OVERLAP,
    quality: Quality = "standard",
    batch_size: int | None = None,
    focus: tuple[float, float] | None = None,
    coarse: bool = True,
    resume: Encoding | None = None,
    cancelled: Callable[[], bool] | None = None,
    at_once: int | None = None,
) -> Iterator[Progress]:
    """Encode an image and report progress, with all that is known so far.

    First the whole region is downsampled into one tile (unless it fits into one anyway); then tile
    after tile replaces this preview. The image is read while the model works, and only where it is
    needed. If this stops early, by `cancelled`, an error, or because the caller stops iterating,
    the last record's encoding keeps what is done: pass it as `resume` to continue.

    Parameters
    ----------
    model : ClipModel
        As `load_model` returns it.
    image : array, Channel or sequence of Channel
        As `encode` takes it.
    view : View, optional
        How values become colors; by default as shown.
    region : Region, optional
        The part to make maps of; by default everything.
    downsample, overlap, quality, batch_size
        As `encode` takes them.
    focus : (y, x), optional
        In image pixels: the nearest tiles come first. By default tiles come row by row.
    coarse : bool
        Whether to begin with a coarse preview.
    resume : Encoding, optional
        Of the same image and settings, for the same region or another: its tiles are not done
        again. It is extended in place.
    cancelled : callable() -> bool, optional
        Called before each batch.
    at_once : int, optional
        Batches that a CPU computes side by side; by default as `batches.at_once` says.

    Yields
    ------
    Progress
        Before the first batch, and after each.

    Raises
    ------
    ImageError
        The image or its region holds no valid pixel, or a part cannot be read.
    SettingsError
        A setting has a wrong type or is outside its range, or `resume` is of another image.
    Cancelled
        `cancelled` returned true.
    """
    check_encode_settings(view, region, batch_size, focus, resume, cancelled)
    channels, view, region = as_channels(image), view or View(), region or Region()
    lattice, factor = plan(
        channels[0].shape,
        tile=model.image_size,
        patch=model.patch_size,
        downsample=downsample,
        overlap=overlap,
        quality=quality,
    )
    region.require_pixels(lattice)
    appearance = read_now(view.appearance, channels)
    source = ImageSource(channels, appearance, lattice.working_shape)
    if resume is not None:
        source.validity = resume.validity
    encoding = Encoding(
        accumulator=TokenAccumulator(lattice, model.d_embed)
        if resume is None
        else resume.accumulator,
        validity=source.validity,
        region=region,
        view=view,
        downsample=factor,
        overlap=overlap,
        model=model.describe(),
        text=model.text,
        coarse=resume.coarse if resume is not None and resume.region == region else None,
        notices=tuple(model.notices),
        ranges=appearance.ranges,
    )
    if resume is not None:
        _check_same(resume, encoding, lattice)
    run = _Run(model, source, encoding, cancelled or (lambda: False))
    yield run.record("start")
    try:
        if coarse and encoding.coarse is None and len(run.remaining()) > 1:
            yield run.encode_coarsely(channels)
        yield from run.refine(_in_order(run.remaining(), lattice, focus), batch_size, at_once)
        _require_valid(encoding)
    finally:
        if model.device.type not in ("cpu", "remote"):
            _release_memory()


class _Run:
    """One run: the encoding as it stands, what it is made from, and the clock."""

    def __init__(
        self,
        model: ClipModel,
        source: ImageSource,
        encoding: Encoding,
        cancelled: Callable[[], bool],
    ) -> None:
        self._model = model
        self._source = source
        self._encoding = encoding
        self._cancelled = cancelled
        self._lattice = encoding.lattice
        self._total = len(encoding.tiles)
        self._done = self._before = self._total - len(self.remaining())
        self._batches: BatchedForward | None = None
        self._started = self._refining = time.monotonic()

    def remaining(self) -> list[tuple[int, int]]:
        """Return the tiles that are not done yet, row by row."""
        done = self._encoding.accumulator.tile_mask
        return [tile for tile in self._encoding.tiles if not done[tile]]

    def record(
        self,
        stage: Literal["start", "coarse", "fine"],
        changed: tuple[slice, slice] | None = None,
    ) -> Progress:
        """Return a record of the progress."""
        notices = tuple(self._model.notices)
        if notices != self._encoding.notices:  # the device may have changed
            self._encoding = replace(self._encoding, notices=notices, model=self._model.describe())
        now = time.monotonic()
        here = self._done - self._before
        left = (now - self._refining) / here * (self._total - self._done) if here else None
        return Progress(
            stage, self._done, self._total, now - self._started, left, changed, self._encoding
        )

    def encode_coarsely(self, channels: Sequence[Channel]) -> Progress:
        """Encode the region in one tile."""
        self._check()
        appearance, bounds = self._source.appearance, self._encoding.bounds
        coarse = encode_coarsely(self._model, channels, appearance, self._lattice, bounds)
        self._encoding = replace(self._encoding, coarse=coarse)
        return self.record("coarse", bounds)

    def refine(
        self, tiles: Sequence[tuple[int, int]], batch_size: int | None, at_once: int | None
    ) -> Iterator[Progress]:
        """Do tiles in order, in batches; blank tiles of one color are computed once."""
        self._refining = time.monotonic()
        batches = self._batches = BatchedForward(self._model, batch_size, self._check, at_once)
        blanks: dict[bytes, TileOutput] = {}
        waiting: list[Tile] = []
        added: list[tuple[int, int]] = []
        read = partial(read_tile, self._source, self._lattice)
        self._check()
        for tile, seen in read_ahead(read, tiles, 2 * batches.size):
            self._encoding.accumulator.contrast.add_tile(tile, seen)
            if is_blank(seen):
                color = seen[0, 0].tobytes()
                if color not in blanks:
                    self._check()
                    blanks[color] = forward_tile(self._model, seen)
                added += self._add([(tile, blanks[color])])
            else:
                waiting.append((tile, seen))
            last = self._done + batches.in_flight + len(waiting) == self._total
            if len(waiting) >= batches.size or len(added) >= _BLANKS or last:
                for finished in batches.submit(waiting, last=last):
                    added += self._add(finished)
                    yield self.record("fine", _span(self._lattice, added))
                    added.clear()
                waiting.clear()
                if added:  # blank ones alone
                    yield self.record("fine", _span(self._lattice, added))
                    added.clear()
                if not last:
                    self._check()

    def _add(self, finished: Iterable[tuple[tuple[int, int], TileOutput]]) -> list[tuple[int, int]]:
        added = []
        for tile, output in finished:
            self._encoding.accumulator.add_tile(tile, output.tokens, output.embedding)
            self._done += 1
            added.append(tile)
        return added

    def _check(self) -> None:
        if self._cancelled():
            for finished in self._batches.finished() if self._batches else ():
                self._add(finished)
            raise Cancelled(
                f"cancelled after {self._done} of {self._total} tiles; what was done is kept"
            )


def _in_order(
    tiles: Sequence[tuple[int, int]], lattice: Lattice, focus: tuple[float, float] | None
) -> Sequence[tuple[int, int]]:
    """Sort tiles by the distance of their centers from a point of the image; unshifted ones first.

    The shifted ones of a finer lattice refine what is there by then.
    """
    unshifted = lattice.unshifted
    if focus is None:
        return sorted(tiles, key=lambda tile: not unshifted[tile])
    centers = [
        [
            (axis.pixels(tile).start + axis.tile / 2) * axis.image / axis.working
            for tile in range(len(axis.starts))
        ]
        for axis in (lattice.y, lattice.x)
    ]

    def order(tile: tuple[int, int]) -> tuple[bool, float]:
        center = centers[0][tile[0]], centers[1][tile[1]]
        return not unshifted[tile], math.dist(focus, center)

    return sorted(tiles, key=order)


def _span(lattice: Lattice, tiles: Sequence[tuple[int, int]]) -> tuple[slice, slice]:
    """Return the rectangle of cells that some tiles cover."""
    rows = [lattice.y.cells(row)[0] for row, _ in tiles]
    columns = [lattice.x.cells(column)[0] for _, column in tiles]
    return (
        slice(min(each.start for each in rows), max(each.stop for each in rows)),
        slice(min(each.start for each in columns), max(each.stop for each in columns)),
    )


def _check_same(resume: Encoding, wanted: Encoding, lattice: Lattice) -> None:
    """Refuse to continue an encoding of something else."""
    for what, before, now in (
        ("lattice", resume.lattice, lattice),
        ("view", resume.view, wanted.view),
        ("model", _weights(resume.model), _weights(wanted.model)),
    ):
        if before != now:
            raise SettingsError(
                f"this encoding cannot be continued: its {what} is {shown_value(before)}, and "
                f"{shown_value(now)} is wanted; start again without `resume`"
            )


def _weights(described: Mapping[str, object]) -> dict[str, object]:
    """Return a model's description without device and precision, which may change during a run."""
    return {key: said for key, said in described.items() if key not in ("device", "precision")}


def _require_valid(encoding: Encoding) -> None:
    """Refuse a region in which every pixel is invalid: what the model saw there is filled in."""
    if encoding.region.is_whole or not encoding.validity.holes:
        return
    y, x = (
        np.arange(round(edges[cells.start]), round(edges[cells.stop])) + 0.5
        for edges, cells in zip(
            (encoding.lattice.y.cell_edges(), encoding.lattice.x.cell_edges()),
            encoding.bounds,
            strict=True,
        )
    )
    for first in range(0, len(y), _ROWS):
        rows = y[first : first + _ROWS]
        valid, inside = encoding.validity.read(rows, x), encoding.region.inside(rows, x)
        if valid is None or (valid if inside is None else valid & inside).any():
            return
    raise ImageError(
        "the region has no valid pixel: all of its pixels are NaN, infinite or masked; choose a "
        "region that holds data"
    )


def _release_memory() -> None:
    from napari_clip_heatmap.clip.devices import release_memory

    release_memory()


LARGEST_BATCH = 65_536


def check_encode_settings(
    view: object,
    region: object,
    batch_size: object,
    focus: object,
    resume: object,
    cancelled: object,
) -> None:
    """Check what `encode_progressively` takes, as far as no image is needed for it.

    Raises
    ------
    SettingsError
        A setting has a wrong type or is outside its range; None is accepted for each.
    """
    for name, value, kind, accepted in (
        ("view", view, View, "a View, such as View('percentile')"),
        ("region", region, Region, "a Region, such as Region(box=(0, 0, 256, 256))"),
        ("resume", resume, Encoding, "an Encoding of the same image"),
    ):
        if value is not None:
            instance(name, value, kind, f"{accepted}, or None", SettingsError)
    if batch_size is not None:
        integer("batch_size", batch_size, 1, LARGEST_BATCH)
    if focus is not None:
        numbers("focus", focus, 2)
    if cancelled is not None:
        function("cancelled", cancelled)
