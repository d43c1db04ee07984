"""Finished tiles of planes that are not done yet, on disk: a cut job computes none of them again.

Each process that computes tiles of a plane appends to a file of its own. An entry is written with
its length and checksum, so that an entry that was cut off with its process is found and left out.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.validity import Hole, Validity
from napari_clip_heatmap.pipeline.storage.records import restore_validity, validity_arrays

__all__ = ["JournalTile", "TileJournal"]

_HEAD = struct.Struct("<4sQIii")
"""Mark, bytes that follow, their checksum, row and column of the tile."""

_MARK = b"TIL2"
"""Begins each entry; those of an earlier version, in another form, are computed again."""

_ARRAYS = ("tokens", "embedding", "low", "high")
_ENDING = ".tiles"


@dataclass(frozen=True, eq=False)
class JournalTile:
    """A finished tile.

    Parameters
    ----------
    tile : (row, column)
    tokens : float32 (cells_y, cells_x, d_embed)
    embedding : float32 (d_embed,)
    low, high : float32 (cells_y, cells_x, 3)
        Darkest and brightest color that the model saw in each patch.
    holes : tuple of Hole
        Invalid pixels that were found while the tile was read.
    """

    tile: tuple[int, int]
    tokens: NDArray[np.float32]
    embedding: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    holes: tuple[Hole, ...] = ()


class TileJournal:
    """The tiles of one plane that are done, written by any number of processes.

    Parameters
    ----------
    folder : Path
        Made when the first tile is written.
    image_shape : (y, x)

    Examples
    --------
    >>> journal = TileJournal(Path("job") / "tiles" / "cells-0", (96, 96))
    >>> len(journal.index())
    0
    """

    def __init__(self, folder: Path, image_shape: tuple[int, int]) -> None:
        self.folder = folder
        self._image_shape = image_shape
        self._file = folder / f"{socket.gethostname()}-{os.getpid()}{_ENDING}"
        self._is_clean = False
        self._seen: dict[Path, _SeenFile] = {}

    def append(self, done: JournalTile) -> None:
        """Write a tile behind those that this process has written."""
        body = _packed(done, self._image_shape)
        head = _HEAD.pack(_MARK, len(body), zlib.crc32(body), *done.tile)
        if not self._is_clean:
            self.folder.mkdir(parents=True, exist_ok=True)
            _cut_torn_end(self._file)
            self._is_clean = True
        start = self._file.stat().st_size if self._file.exists() else 0
        try:
            with self._file.open("ab") as stream:
                stream.write(head + body)
        except OSError:
            if self._file.exists():
                os.truncate(self._file, start)  # a full disk leaves half an entry
            raise

    def index(self) -> dict[tuple[int, int], tuple[Path, int]]:
        """Return where each finished tile is: its file, and the position in it.

        What an earlier call has read is not read again: a slide asks once for each of its chunks.
        """
        found: dict[tuple[int, int], tuple[Path, int]] = {}
        paths = sorted(self.folder.glob(f"*{_ENDING}"))
        self._seen = {path: self._seen.get(path, _SeenFile()) for path in paths}
        for path in paths:
            for tile, place in self._tiles_of(path).items():
                found.setdefault(tile, (path, place))
        return found

    def _tiles_of(self, path: Path) -> dict[tuple[int, int], int]:
        """Return the position of each tile in a file, looking only at what is new in it."""
        seen = self._seen[path]
        if path.stat().st_size < seen.end:  # begun again since
            seen = self._seen[path] = _SeenFile()
        for place, head in _heads(path, seen.end):
            seen.tiles.setdefault((head[3], head[4]), place)
            seen.end = place + _HEAD.size + head[1]
        return seen.tiles

    def read(self, index: dict[tuple[int, int], tuple[Path, int]]) -> Iterator[JournalTile]:
        """Yield tiles row by row, whatever the order in which they were written."""
        for tile in sorted(index):
            path, place = index[tile]
            with path.open("rb") as stream:
                stream.seek(place)
                head = _HEAD.unpack(stream.read(_HEAD.size))
                body = stream.read(head[1])
            yield _unpacked(tile, body)

    def remove(self) -> None:
        """Remove all that is kept of the plane."""
        for path in self.folder.glob(f"*{_ENDING}"):
            path.unlink(missing_ok=True)
        if self.folder.is_dir():
            self.folder.rmdir()
        self._is_clean = False
        self._seen.clear()


@dataclass(eq=False)
class _SeenFile:
    """What is known of a file: the position of each tile, and the end of the last whole entry."""

    tiles: dict[tuple[int, int], int] = field(default_factory=dict)
    end: int = 0


def _heads(path: Path, start: int = 0) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Yield the position and head of each entry that is whole, from the start of one."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        place = start
        while place + _HEAD.size <= size:
            stream.seek(place)
            head = _HEAD.unpack(stream.read(_HEAD.size))
            if head[0] != _MARK or place + _HEAD.size + head[1] > size:
                return
            if zlib.crc32(stream.read(head[1])) != head[2]:
                return
            yield place, head
            place += _HEAD.size + head[1]


def _cut_torn_end(path: Path) -> None:
    """Cut off an entry that a process of the same number left half written."""
    if not path.exists():
        return
    end = 0
    for place, head in _heads(path):
        end = place + _HEAD.size + head[1]
    os.truncate(path, end)


def _packed(done: JournalTile, image_shape: tuple[int, int]) -> bytes:
    """Return the arrays of a tile behind a line that names them: faster than `.npz` by far."""
    holes, found = validity_arrays(Validity(image_shape, done.holes))
    arrays = {name: np.ascontiguousarray(getattr(done, name)) for name in _ARRAYS} | found
    said = {name: [each.dtype.str, each.shape] for name, each in arrays.items()}
    line = json.dumps({"holes": holes, "arrays": said}).encode() + b"\n"
    return b"".join([line, *(each.tobytes() for each in arrays.values())])


def _unpacked(tile: tuple[int, int], body: bytes) -> JournalTile:
    place = body.index(b"\n") + 1
    record = json.loads(body[:place])
    arrays: dict[str, NDArray[Any]] = {}
    for name, (dtype, shape) in record["arrays"].items():
        arrays[name] = np.frombuffer(body, dtype, prod(shape), place).reshape(shape)
        place += arrays[name].nbytes
    holes = restore_validity(record["holes"], arrays).holes
    return JournalTile(tile, **{name: arrays[name] for name in _ARRAYS}, holes=holes)
