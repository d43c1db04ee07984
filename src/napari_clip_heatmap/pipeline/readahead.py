"""Read what comes next while the model works on what came before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from napari_clip_heatmap.errors import ClipHeatmapError, ImageError

__all__ = ["read_ahead", "read_now"]

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
