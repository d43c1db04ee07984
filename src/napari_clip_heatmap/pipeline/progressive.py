"""A whole image, of any size and shape, through the model: a coarse look, then tile by tile."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from numpy.typing import ArrayLike

from napari_clip_heatmap.errors import Cancelled, SettingsError
from napari_clip_heatmap.imaging.channel import Channel, as_channels
from napari_clip_heatmap.imaging.lattice import Lattice, plan
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.source import ImageSource
from napari_clip_heatmap.imaging.tiles import is_blank, read_tile
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

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["Progress", "encode_progressively"]

_BLANKS = 256
"""Blank tiles laid before this is told."""


@dataclass(frozen=True, eq=False)
class Progress:
    """How far an encoding has come.

    Parameters
    ----------
    stage : {"start", "coarse", "fine"}
        Nothing was computed yet; the coarse look is done; some tiles are.
    done, total : int
        Tiles of the region, those of an earlier run included.
    elapsed : float
        Seconds since the start of this run.
    left : float, optional
        Seconds that the remaining tiles will take, by those of this run; None before there are any.
    changed : (slice, slice), optional
        The rectangle of lattice cells (y, x) that differs from the last record's.
    encoding : Encoding
        What is known now. It goes on to be filled; in between records nothing changes.
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
    overlap: float = 0.5,
    batch_size: int | None = None,
    focus: tuple[float, float] | None = None,
    coarse: bool = True,
    resume: Encoding | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[Progress]:
    """Encode an image and tell how far it has come, with all that is known so far.

    First the whole region is squeezed into one tile (unless it fits into one anyway); then tile
    after tile takes the place of that. The image is read while the model works, and only where it
    is needed. Where this stops early, by `cancelled`, an error, or because the caller asks for no
    more, the last record's encoding keeps what is done: pass it as `resume` to go on from there.

    Parameters
    ----------
    model : ClipModel
        As `load_model` returns it.
    image : array, Channel or sequence of Channel
        As `encode` takes it.
    view : View, optional
        How values become colours; by default as shown.
    region : Region, optional
        What to look at; by default everything.
    downsample, overlap, batch_size
        As `encode` takes them.
    focus : (y, x), optional
        Image pixels: the tiles nearest to it come first. By default they come row by row.
    coarse : bool
        Whether to begin with a coarse look.
    resume : Encoding, optional
        Of the same image and settings, for the same region or another: its tiles are not done
        again. It is carried on in place.
    cancelled : callable() -> bool, optional
        Asked before each pass through the model.

    Yields
    ------
    Progress
        Before the first pass, and after each.

    Raises
    ------
    ImageError
        The image cannot be looked at, or a part of it cannot be read.
    SettingsError
        A setting lies outside what is accepted, or `resume` is of something else.
    Cancelled
        The caller asked for it.
    """
    if batch_size is not None and batch_size < 1:
        raise SettingsError(f"batch_size is {batch_size!r}; accepted: 1 tile or more, or None")
    channels, view, region = as_channels(image), view or View(), region or Region()
    lattice, factor = plan(
        channels[0].shape,
        tile=model.image_size,
        patch=model.patch_size,
        downsample=downsample,
        overlap=overlap,
    )
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
    )
    if resume is not None:
        _check_same(resume, encoding, lattice)
    run = _Run(model, source, encoding, cancelled or (lambda: False))
    yield run.record("start")
    try:
        if coarse and encoding.coarse is None and len(run.left()) > 1:
            yield run.encode_coarsely(channels)
        yield from run.refine(_in_order(run.left(), lattice, focus), batch_size)
    finally:
        if model.device.type != "cpu":
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
        self._done = self._before = self._total - len(self.left())
        self._passes: BatchedForward | None = None
        self._started = self._refining = time.monotonic()

    def left(self) -> list[tuple[int, int]]:
        """Return the tiles that are not done yet, row by row."""
        done = self._encoding.accumulator.tile_mask
        return [tile for tile in self._encoding.tiles if not done[tile]]

    def record(
        self,
        stage: Literal["start", "coarse", "fine"],
        changed: tuple[slice, slice] | None = None,
    ) -> Progress:
        """Tell how far it has come."""
        notices = tuple(self._model.notices)
        if notices != self._encoding.notices:  # it may have gone on elsewhere
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
        self, tiles: Sequence[tuple[int, int]], batch_size: int | None
    ) -> Iterator[Progress]:
        """Do tiles in order, in batches; a blank one is laid at once, once its colour is known."""
        self._refining = time.monotonic()
        passes = self._passes = BatchedForward(self._model, batch_size, self._check)
        blanks: dict[bytes, TileOutput] = {}
        waiting: list[Tile] = []
        laid: list[tuple[int, int]] = []
        read = partial(read_tile, self._source, self._lattice)
        self._check()
        for tile, seen in read_ahead(read, tiles, 2 * passes.size):
            if is_blank(seen):
                colour = seen[0, 0].tobytes()
                if colour not in blanks:
                    self._check()
                    blanks[colour] = forward_tile(self._model, seen)
                laid += self._lay([(tile, blanks[colour])])
            else:
                waiting.append((tile, seen))
            last = self._done + passes.in_flight + len(waiting) == self._total
            if len(waiting) >= passes.size or len(laid) >= _BLANKS or last:
                for answered in passes.submit(waiting, last=last):
                    laid += self._lay(answered)
                    yield self.record("fine", _span(self._lattice, laid))
                    laid.clear()
                waiting.clear()
                if laid:  # blank ones alone
                    yield self.record("fine", _span(self._lattice, laid))
                    laid.clear()
                if not last:
                    self._check()

    def _lay(self, answers: Iterable[tuple[tuple[int, int], TileOutput]]) -> list[tuple[int, int]]:
        laid = []
        for tile, answer in answers:
            self._encoding.accumulator.add_tile(tile, answer.tokens, answer.embedding)
            self._done += 1
            laid.append(tile)
        return laid

    def _check(self) -> None:
        if self._cancelled():
            for answered in self._passes.finished() if self._passes else ():
                self._lay(answered)
            raise Cancelled(
                f"cancelled after {self._done} of {self._total} tiles; what was done is kept"
            )


def _in_order(
    tiles: Sequence[tuple[int, int]], lattice: Lattice, focus: tuple[float, float] | None
) -> Sequence[tuple[int, int]]:
    """Sort tiles by the distance of their centres from a point of the image."""
    if focus is None:
        return tiles
    centres = [
        [
            (axis.pixels(tile).start + axis.tile / 2) * axis.image / axis.working
            for tile in range(len(axis.starts))
        ]
        for axis in (lattice.y, lattice.x)
    ]

    def distance(tile: tuple[int, int]) -> float:
        return math.dist(focus, (centres[0][tile[0]], centres[1][tile[1]]))

    return sorted(tiles, key=distance)


def _span(lattice: Lattice, tiles: Sequence[tuple[int, int]]) -> tuple[slice, slice]:
    """Return the rectangle of cells that some tiles cover."""
    rows = [lattice.y.cells(row)[0] for row, _ in tiles]
    columns = [lattice.x.cells(column)[0] for _, column in tiles]
    return (
        slice(min(each.start for each in rows), max(each.stop for each in rows)),
        slice(min(each.start for each in columns), max(each.stop for each in columns)),
    )


def _check_same(resume: Encoding, asked: Encoding, lattice: Lattice) -> None:
    """Refuse to go on from an encoding of something else."""
    for what, before, now in (
        ("lattice", resume.lattice, lattice),
        ("view", resume.view, asked.view),
        ("model", _weights(resume.model), _weights(asked.model)),
    ):
        if before != now:
            raise SettingsError(
                f"this encoding cannot be carried on: its {what} is {before}, and {now} is asked; "
                "begin anew, without `resume`"
            )


def _weights(described: Mapping[str, object]) -> dict[str, object]:
    """Return what a description says of the weights, wherever they run.

    Devices and precisions are only used where they agree, and a run may change them on its way.
    """
    return {key: said for key, said in described.items() if key not in ("device", "precision")}


def _release_memory() -> None:
    from napari_clip_heatmap.clip.devices import release_memory

    release_memory()
