"""Tiles through the model, in passes that its device has room for, whatever becomes of the device.

Where a pass needs too much memory it is halved, down to a single tile; where that is too much, or
the device fails, the CPU goes on. No tile is lost on the way, and none is laid twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import ClipHeatmapError, ImageError

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = [
    "BatchedForward",
    "Tile",
    "TileOutput",
    "forward_tile",
    "read_ahead",
    "read_now",
    "start_forward",
]


@dataclass(frozen=True, eq=False)
class TileOutput:
    """What the model says of one tile.

    Parameters
    ----------
    tokens : float32 (cells_y, cells_x, d_embed)
        Each patch's share of the tile's unit embedding.
    embedding : float32 (d_embed,)
        Of length 1.
    """

    tokens: NDArray[np.float32]
    embedding: NDArray[np.float32]


def start_forward(
    model: ClipModel, tiles: Sequence[NDArray[np.float32]]
) -> Callable[[], list[TileOutput]]:
    """Show tiles (tile_y, tile_x, 3), in 0..1, to the model in one pass.

    Returns
    -------
    callable() -> list of TileOutput
        Waits for the answer. A CPU has given it by now; CUDA is given the work and goes on by
        itself, so that others can be read and sent meanwhile.
    """
    from napari_clip_heatmap.clip.devices import start_copy_to_cpu

    answer = model.token_map(model.preprocess(np.stack(tiles)))
    fetched = start_copy_to_cpu(answer.tokens.float(), answer.representation)

    def finish() -> list[TileOutput]:
        tokens, whole = fetched()
        whole = whole.astype(np.float64)  # [tile, d_embed]
        with np.errstate(invalid="ignore"):  # half precision may overflow; the caller will see
            unit = (whole / np.linalg.norm(whole, axis=1, keepdims=True)).astype(np.float32)
        return [TileOutput(*each) for each in zip(tokens, unit, strict=True)]

    return finish


CPU_PATCHES = 196
"""Patches per pass on a CPU, or one tile: more are hardly faster, and take longer to cancel."""

ACCELERATOR_BATCH = 32
"""Tiles per pass on anything else, where small batches leave the device idle."""

Place = tuple[int, int]
"""Row and column of a tile on the lattice."""

Tile = tuple[Place, NDArray[np.float32]]
"""Where a tile lies, and what is seen there: (tile_y, tile_x, 3), in 0..1."""

Answered = tuple[Place, TileOutput]
"""Where a tile lies, and what the model says of it."""


@dataclass(eq=False)
class _Pass:
    """Tiles that go together and, once they are under way, how to wait for them."""

    tiles: list[Tile]
    finish: Callable[[], list[TileOutput]] | None = None


class BatchedForward:
    """Shows tiles to the model.

    Parameters
    ----------
    model : ClipModel
    size : int, optional
        Tiles per pass; by default what suits the device.
    check : callable(), optional
        Called before each pass; may raise to stop.
    """

    def __init__(
        self, model: ClipModel, size: int | None = None, check: Callable[[], None] = lambda: None
    ) -> None:
        self._model = model
        self._asked = size
        self._check = check
        self._in_flight: deque[_Pass] = deque()

    @property
    def size(self) -> int:
        """Tiles per pass, as things are."""
        size = self._asked or _suitable(self._model)
        return min(size, self._model.max_batch or size)

    @property
    def in_flight(self) -> int:
        """Tiles that were shown and not answered yet."""
        return sum(len(each.tiles) for each in self._in_flight)

    def submit(self, tiles: Sequence[Tile], *, last: bool) -> Iterator[list[Answered]]:
        """Show tiles; yields what is answered by now, pass by pass, in the order of the tiles.

        Parameters
        ----------
        tiles : sequence of Tile
        last : bool
            No others will come: wait for all. Else the last pass may stay under way.

        Raises
        ------
        RuntimeError, MemoryError
            The CPU, too, cannot do a single tile.
        """
        todo = deque(tiles)
        while todo or (last and self._in_flight):
            self._check()
            if todo:
                few = [todo.popleft() for _ in range(min(self.size, len(todo)))]
                self._in_flight.append(_Pass(few))
            answered = self._go_on(wait=last and not todo)
            if answered is None:
                todo.extendleft(reversed(self._recalled()))
            elif answered:
                yield answered

    def finished(self) -> Iterator[list[Answered]]:
        """Wait for what is under way, and show nothing more."""
        while self._in_flight:
            yield self._taken(self._oldest())

    def _go_on(self, *, wait: bool) -> list[Answered] | None:
        """Start the newest pass, and take the oldest if it is time to; None: do all of them again.

        Parameters
        ----------
        wait : bool
            It is time to, however few are under way.
        """
        newest = self._in_flight[-1]
        try:
            if newest.finish is None:
                newest.finish = start_forward(self._model, [seen for _, seen in newest.tiles])
            if len(self._in_flight) <= _ahead(self._model) and not wait:
                return []
            looks = self._oldest()
        except ClipHeatmapError:
            raise
        except (RuntimeError, MemoryError) as error:
            give_way = self._way_out_of(error)
            if give_way is None:
                raise
        else:
            finite = all(np.isfinite(look.embedding).all() for look in looks)
            return (
                self._taken(looks)
                if finite or not self._model.fall_back_to_full_precision()
                else None
            )
        give_way()  # out here the error is gone, and with it the tensors that it held on to
        return None

    def _oldest(self) -> list[TileOutput]:
        finish = self._in_flight[0].finish
        return [] if finish is None else finish()

    def _taken(self, looks: list[TileOutput]) -> list[Answered]:
        places = [place for place, _ in self._in_flight.popleft().tiles]
        return list(zip(places, looks, strict=True))

    def _recalled(self) -> list[Tile]:
        tiles = [tile for each in self._in_flight for tile in each.tiles]
        self._in_flight.clear()
        return tiles

    def _way_out_of(self, error: Exception) -> Callable[[], None] | None:
        from napari_clip_heatmap.clip.devices import describe_failure, is_out_of_memory

        largest = max(len(each.tiles) for each in self._in_flight)
        if is_out_of_memory(error) and largest > 1:
            return partial(self._halve, largest)
        if self._model.device.type != "cpu":
            return partial(self._model.fall_back_to_cpu, describe_failure(error))
        return None

    def _halve(self, size: int) -> None:
        from napari_clip_heatmap.clip.devices import release_memory

        release_memory()
        self._model.max_batch = size // 2
        self._model.notices.tell(
            "room",
            f"{self._model.device} has no memory for {size} tiles at once, so it is shown "
            f"{size // 2} at a time.",
        )


def forward_tile(model: ClipModel, seen: NDArray[np.float32]) -> TileOutput:
    """Show one tile (tile_y, tile_x, 3), in 0..1, to the model, and wait for the answer."""
    (((_, look),),) = BatchedForward(model, 1).submit([((0, 0), seen)], last=True)
    return look


def _suitable(model: ClipModel) -> int:
    """Return how many tiles keep the device busy, and not longer than a large tile would."""
    if model.device.type != "cpu":
        return ACCELERATOR_BATCH
    cells = [size // patch for size, patch in zip(model.image_size, model.patch_size, strict=True)]
    return max(1, CPU_PATCHES // (cells[0] * cells[1]))


def _ahead(model: ClipModel) -> int:
    """Return how many passes may be under way while the next is got ready: CUDA works by itself."""
    return 1 if model.device.type == "cuda" else 0


Item = TypeVar("Item")

Result = TypeVar("Result")


def read_ahead(
    read: Callable[[Item], Result], items: Iterable[Item], depth: int
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with what was read of it, in order, up to `depth` of them ahead.

    One thread reads. It ends with the iterator, however that ends, after what it is reading.

    Raises
    ------
    ImageError
        Reading failed, with whatever error; those of this package are raised as they are.
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
    """Read one thing, and wait for it; errors are told as `read_ahead` does."""
    ((_, result),) = read_ahead(read, [item], 1)
    return result


def _finished(item: Item, future: Future[Result]) -> tuple[Item, Result]:
    error = future.exception()
    if isinstance(error, ClipHeatmapError) or not isinstance(error, Exception | None):
        raise error
    if error is not None:
        raise ImageError(
            f"a part of the image could not be read ({type(error).__name__}: {error}); "
            "see that the file or its drive is still there, and run again to go on from here"
        ) from error
    return item, future.result()
