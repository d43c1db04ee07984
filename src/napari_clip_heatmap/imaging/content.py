"""Identify stored pixels by their content, so that results for them can be found again."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.hashing import hash_arrays
from napari_clip_heatmap.imaging.channel import Channel, Plane

__all__ = ["content_of", "sampled"]

_CHUNKS = 4
"""Chunks read along each axis of an array that is not in memory."""

_PIXELS = 2**26
"""Largest number of pixels read of it, unless a single chunk has more."""

_SIDE = 4096
"""Of a larger chunk only the middle is read."""

_UNCHUNKED = 1024
"""Side of the windows of an array without chunks."""

Content = dict[str, object]


def content_of(channel: Channel) -> list[Content] | None:
    """Return what identifies a channel's pixels, as JSON-able values.

    Arrays in memory are identified by all of their values, so that a single painted pixel is
    noticed. Others (a memory map, dask, zarr) are identified by shape, type, the metadata of the
    store, and the chunks that `sampled` returns: changes in other chunks are not noticed.

    Parameters
    ----------
    channel : Channel
        The finest and the coarsest level are read; of others only shape and type.

    Returns
    -------
    list of dict, optional
        One per level. None if all that was read of a lazy channel is one single value, which could
        be any image.
    """
    last = len(channel.levels) - 1
    levels = [_level(level, read=n in (0, last)) for n, level in enumerate(channel.levels)]
    if any(each.get("blank") is False for each in levels):
        return levels
    return None if any(each.get("blank") for each in levels) else levels


def sampled(shape: tuple[int, int], chunks: Any = None) -> list[tuple[slice, slice]]:
    """Return the rectangles that are read of a lazy plane: whole chunks, evenly spread.

    Parameters
    ----------
    shape : (y, x)
    chunks : sequence, optional
        Per axis the length of all chunks, as in zarr, or of each chunk, as in dask.
    """
    parts = chunks or (None, None)
    edges = [_edges(length, part) for length, part in zip(shape, parts, strict=True)]
    largest = math.prod(min(_SIDE, int(np.diff(each).max())) for each in edges)
    count = max(1, min(_CHUNKS, math.isqrt(_PIXELS // largest)))
    rows, columns = (_spread(each, count) for each in edges)
    return list(itertools.product(rows, columns))


def _level(level: Any, *, read: bool) -> Content:
    array, index = (level.array, level.index) if isinstance(level, Plane) else (level, ())
    about: Content = {"shape": list(map(int, level.shape)), "dtype": str(np.dtype(level.dtype))}
    if isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        return {**about, "sha256": hash_arrays([array[index]])}
    about |= {"index": list(map(int, index)), "store": _store(array)}
    if not read:
        return about
    chunks = getattr(array, "chunks", None)
    of_plane = None if chunks is None else tuple(chunks)[len(index) : len(index) + 2]
    height, width = int(level.shape[0]), int(level.shape[1])
    seen = _Seen(level, sampled((height, width), of_plane))
    return {**about, "sha256": hash_arrays(seen), "blank": seen.blank}


class _Seen:
    """Rectangles of an array, read one after another, and whether all are one value."""

    def __init__(self, level: Any, windows: list[tuple[slice, slice]]) -> None:
        self._level, self._windows = level, windows
        self.blank = True

    def __iter__(self) -> Iterator[NDArray[Any]]:
        first: Any = None
        for window in self._windows:
            key = window if len(self._level.shape) == 2 else (*window, slice(None))
            stored = self._level[key]
            values = stored if isinstance(stored, np.ndarray) else np.asarray(stored)
            first = values.flat[0] if first is None else first
            self.blank = self.blank and bool((values == first).all())
            yield values


def _store(array: Any) -> Content:
    """Return where and how the values of a lazy array are stored, as far as it says so."""
    store: Content = {"kind": f"{type(array).__module__}.{type(array).__qualname__}"}
    filename = getattr(array, "filename", None)
    if isinstance(array, np.memmap) and filename is not None:
        stat = Path(filename).stat()
        file = {"offset": array.offset, "bytes": stat.st_size, "changed": stat.st_mtime_ns}
        return {**store, "file": str(filename), **file}
    metadata: Any = getattr(array, "metadata", None)
    if hasattr(metadata, "to_dict"):  # zarr
        plain = json.loads(json.dumps(metadata.to_dict(), default=str))
        return {**store, "metadata": plain, "place": str(getattr(array, "store_path", ""))}
    chunks = getattr(array, "chunks", None)
    return {**store, "chunks": json.loads(json.dumps(chunks, default=str))}


def _edges(length: int, chunks: Any) -> NDArray[np.int64]:
    """Return the edges of chunks along an axis."""
    if chunks is None:
        chunks = _UNCHUNKED
    if isinstance(chunks, tuple | list):
        return np.concatenate([[0], np.cumsum(chunks, dtype=np.int64)])
    return np.append(np.arange(0, length, max(1, int(chunks))), length)


def _spread(edges: NDArray[np.int64], count: int) -> list[slice]:
    last = len(edges) - 2
    chosen = np.unique(np.linspace(0, last, min(count, last + 1)).round().astype(int))
    windows = []
    for number in chosen:
        first, stop = int(edges[number]), int(edges[number + 1])
        spare = max(0, stop - first - _SIDE) // 2
        windows.append(slice(first + spare, min(stop, first + spare + _SIDE)))
    return windows
