"""Batches of tiles through the model, whatever happens to its device.

A batch that needs too much memory is halved, down to a single tile. If a single tile is too much,
or the device fails, the CPU continues. No tile is lost, and none is done twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import ClipHeatmapError, DecompositionError, ImageError, shorten

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = [
    "BatchedForward",
    "Tile",
    "TileOutput",
    "at_once",
    "forward_tile",
    "products_of_tile",
    "read_ahead",
    "read_now",
    "start_forward",
    "suitable_size",
]


@dataclass(frozen=True, eq=False)
class TileOutput:
    """The model's output for one tile.

    Parameters
    ----------
    tokens : float32 (cells_y, cells_x, d_embed)
        Each patch's contribution to the tile's unit embedding.
    embedding : float32 (d_embed,)
        Of length 1.
    """

    tokens: NDArray[np.float32]
    embedding: NDArray[np.float32]


def start_forward(
    model: ClipModel, tiles: Sequence[NDArray[np.float32]]
) -> Callable[[], list[TileOutput]]:
    """Start one forward pass for tiles (tile_y, tile_x, 3), in 0..1.

    Returns
    -------
    callable() -> list of TileOutput
        Waits for the output. A CPU has finished by now; CUDA works on its own, so that the next
        tiles can be read and sent at the same time.
    """
    from napari_clip_heatmap.clip.devices import start_copy_to_cpu

    if model.device.type == _REMOTE:
        started: Callable[[], list[TileOutput]] = model.start_forward(tiles)  # type: ignore[attr-defined]
        return started
    output = model.token_map(model.preprocess(np.stack(tiles)))
    fetched = start_copy_to_cpu(output.tokens.float(), output.representation)

    def finish() -> list[TileOutput]:
        tokens, whole = fetched()
        whole = whole.astype(np.float64)  # [tile, d_embed]
        with np.errstate(invalid="ignore"):  # half precision may overflow; the caller checks
            unit = (whole / np.linalg.norm(whole, axis=1, keepdims=True)).astype(np.float32)
        return [TileOutput(*each) for each in zip(tokens, unit, strict=True)]

    return finish


_REMOTE = "remote"
"""Type of the device of a `RemoteModel`."""

CPU_PATCHES = 196
"""Patches per batch on a CPU, or one tile: more are hardly faster, and slower to cancel."""

_FEW = 4
"""Tiles of a small model per batch on a CPU: each takes three quarters of its time alone."""

_SHORT = 1.5e9
"""Multiplications of a batch of them, at most: larger models keep a CPU busy with one tile."""

_MOST_AT_ONCE = 8
"""Batches of a small model side by side: Python's own part of each is done one after another."""

ACCELERATOR_BATCH = 32
"""Tiles per batch on any other device, which small batches leave idle."""

TileIndex = tuple[int, int]
"""Row and column of a tile on the lattice."""

Tile = tuple[TileIndex, NDArray[np.float32]]
"""A tile's index and its colors (tile_y, tile_x, 3), in 0..1."""

FinishedTile = tuple[TileIndex, TileOutput]
"""A tile's index and the model's output for it."""


@dataclass(eq=False)
class _Batch:
    """Tiles of one forward pass and, once it has started, how to wait for it."""

    tiles: list[Tile]
    finish: Callable[[], list[TileOutput]] | None = None


class BatchedForward:
    """Sends tiles through the model, batch by batch.

    Parameters
    ----------
    model : ClipModel
    size : int, optional
        Tiles per batch; by default what suits the device.
    check : callable(), optional
        Called before each batch; may raise to stop.
    at_once : int, optional
        Batches that are computed side by side; by default as `at_once` says.
    """

    def __init__(
        self,
        model: ClipModel,
        size: int | None = None,
        check: Callable[[], None] = lambda: None,
        at_once: int | None = None,
    ) -> None:
        self._model = model
        self._wanted_size = size
        self._check = check
        self._wanted_at_once = at_once
        self._in_flight: deque[_Batch] = deque()

    @property
    def size(self) -> int:
        """Tiles per batch, at present."""
        size = self._wanted_size or suitable_size(self._model)
        return min(size, self._model.max_batch or size)

    @property
    def at_once(self) -> int:
        """Batches that are computed side by side."""
        return self._wanted_at_once or at_once(self._model)

    @property
    def in_flight(self) -> int:
        """Number of tiles that were started and have not finished."""
        return sum(len(each.tiles) for each in self._in_flight)

    def submit(self, tiles: Sequence[Tile], *, last: bool) -> Iterator[list[FinishedTile]]:
        """Start tiles; yield what has finished by now, batch by batch, in the order of the tiles.

        Parameters
        ----------
        tiles : sequence of Tile
        last : bool
            No more tiles will follow, so wait for all. Otherwise the last batch may stay in flight.

        Raises
        ------
        RuntimeError, MemoryError
            The CPU cannot do a single tile either.
        DecompositionError
            The output is not finite, even in full precision.
        """
        todo = deque(tiles)
        while todo or (last and self._in_flight):
            self._check()
            if todo:
                few = [todo.popleft() for _ in range(min(self.size, len(todo)))]
                self._in_flight.append(_Batch(few))
            finished = self._step(wait=last and not todo)
            if finished is None:
                todo.extendleft(reversed(self._recalled()))
            elif finished:
                yield finished

    def finished(self) -> Iterator[list[FinishedTile]]:
        """Wait for the batches in flight; start no more."""
        while self._in_flight:
            yield self._taken(self._oldest())

    def _step(self, *, wait: bool) -> list[FinishedTile] | None:
        """Start the newest batch, and take the oldest if it is due; None: all must be done again.

        Parameters
        ----------
        wait : bool
            Take the oldest, however few are in flight.
        """
        newest = self._in_flight[-1]
        try:
            if newest.finish is None:
                newest.finish = self._start([seen for _, seen in newest.tiles])
            if len(self._in_flight) <= self._ahead and not wait:
                return []
            outputs = self._oldest()
        except ClipHeatmapError:
            raise
        except (RuntimeError, MemoryError) as error:
            recover = self._recovery_from(error)
            if recover is None:
                raise
        else:
            if all(map(_is_finite, outputs)):
                return self._taken(outputs)
            if self._model.fall_back_to_full_precision():
                return None
            raise DecompositionError(
                "the model's output for a tile is not finite, even in full precision: its weights "
                "hold NaN or infinity, or overflow; get them again, or use another model"
            )
        recover()  # only here the error is gone, and with it the tensors that it kept alive
        return None

    def _start(self, tiles: list[NDArray[np.float32]]) -> Callable[[], list[TileOutput]]:
        number = self.at_once
        if number == 1:
            return start_forward(self._model, tiles)
        from napari_clip_heatmap.clip.devices import single_threads

        threads = single_threads("forward", number)
        return threads.submit(lambda: start_forward(self._model, tiles)()).result

    @property
    def _ahead(self) -> int:
        """How many batches may be in flight while the next is read.

        CUDA works on its own; so do the threads of a CPU that compute batches side by side.
        """
        if self._model.device.type == _REMOTE:
            return int(self._model.batches_ahead)  # type: ignore[attr-defined]
        if self._model.device.type == "cuda":
            return 1
        return self.at_once if self.at_once > 1 else 0

    def _oldest(self) -> list[TileOutput]:
        finish = self._in_flight[0].finish
        return [] if finish is None else finish()

    def _taken(self, outputs: list[TileOutput]) -> list[FinishedTile]:
        indices = [index for index, _ in self._in_flight.popleft().tiles]
        return list(zip(indices, outputs, strict=True))

    def _recalled(self) -> list[Tile]:
        tiles = [tile for each in self._in_flight for tile in each.tiles]
        self._in_flight.clear()
        return tiles

    def _recovery_from(self, error: Exception) -> Callable[[], None] | None:
        from napari_clip_heatmap.clip.devices import describe_failure, is_out_of_memory

        largest = max(len(each.tiles) for each in self._in_flight)
        if is_out_of_memory(error) and largest > 1:
            return partial(self._halve, largest)
        if self._model.device.type not in ("cpu", _REMOTE):
            return partial(self._model.fall_back_to_cpu, describe_failure(error))
        return None

    def _halve(self, size: int) -> None:
        from napari_clip_heatmap.clip.devices import release_memory

        release_memory()
        self._model.max_batch = size // 2
        self._model.notices.add(
            "room",
            f"{self._model.device} has no memory for {size} tiles at once, so it gets "
            f"{size // 2} at a time.",
        )


def _is_finite(output: TileOutput) -> bool:
    return bool(np.isfinite(output.embedding).all() and np.isfinite(output.tokens.sum()))


def forward_tile(model: ClipModel, seen: NDArray[np.float32]) -> TileOutput:
    """Send one tile (tile_y, tile_x, 3), in 0..1, through the model, and wait for the output."""
    (((_, output),),) = BatchedForward(model, 1).submit([((0, 0), seen)], last=True)
    return output


def suitable_size(model: ClipModel) -> int:
    """Return how many tiles keep the device busy, and not longer than a large tile would.

    Examples
    --------
    >>> suitable_size(nch.load_model("demo", device="cpu"))
    4
    """
    if model.device.type == _REMOTE:
        return int(model.batch_size)  # type: ignore[attr-defined]
    if model.device.type != "cpu":
        return ACCELERATOR_BATCH
    few = min(_FEW, int(_SHORT / products_of_tile(model)))
    return max(1, CPU_PATCHES // prod(model.grid), few)


def at_once(model: ClipModel) -> int:
    """Return how many batches a CPU computes side by side, in one thread each.

    Of a small model: where threads share its short operations, they wait for one another. A large
    one keeps all of them busy with one batch, and its first maps come sooner.

    Examples
    --------
    >>> at_once(nch.load_model("demo", device="cpu"))  # doctest: +SKIP
    2
    """
    if model.device.type != "cpu" or products_of_tile(model) > _SHORT:
        return 1
    import torch

    return min(int(torch.get_num_threads()), _MOST_AT_ONCE)


def products_of_tile(model: ClipModel) -> int:
    """Return about how many multiplications the model takes for one tile.

    Examples
    --------
    >>> products_of_tile(nch.load_model("demo", device="cpu"))
    318504960
    """
    return 12 * model.n_layers * model.d_model**2 * prod(model.grid)


Item = TypeVar("Item")

Result = TypeVar("Result")


def read_ahead(
    read: Callable[[Item], Result], items: Iterable[Item], depth: int
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with its contents, in order, reading up to `depth` items ahead.

    A single thread reads. It ends with the iterator, after the item that it is reading.

    Raises
    ------
    ImageError
        Reading failed with any error; errors of this package are raised unchanged.
    """
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="clip-heatmap-reader") as reader:
        try:
            for item in items:
                waiting.append((item, reader.submit(read, item)))
                if len(waiting) > depth:
                    yield _finished(*waiting.popleft())
            while waiting:
                yield _finished(*waiting.popleft())
        finally:
            for _, future in waiting:
                future.cancel()


def read_now(read: Callable[[Item], Result], item: Item) -> Result:
    """Read one item; raises as `read_ahead` does."""
    try:
        return read(item)
    except ClipHeatmapError:
        raise
    except Exception as error:
        raise _unreadable(error) from error


def _finished(item: Item, future: Future[Result]) -> tuple[Item, Result]:
    error = future.exception()
    if isinstance(error, ClipHeatmapError) or not isinstance(error, Exception | None):
        raise error
    if error is not None:
        raise _unreadable(error) from error
    return item, future.result()


def _unreadable(error: Exception) -> ImageError:
    return ImageError(
        f"a part of the image could not be read ({type(error).__name__}: "
        f"{shorten(str(error), 200)}); "
        "check that the file or its drive is still there, and run again to continue from here"
    )
