"""A cache of encodings on disk: each image is encoded once, also across programs."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from napari_clip_heatmap.errors import EncodingFileError, OutputError, SettingsError, shown_value
from napari_clip_heatmap.hashing import hash_json
from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.content import content_of
from napari_clip_heatmap.imaging.lattice import Lattice
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.storage.records import (
    encoding_arrays,
    encoding_of,
    lattice_record,
)
from napari_clip_heatmap.pipeline.storage.zarr_file import PART, read_arrays, write_arrays
from napari_clip_heatmap.user_folders import cache_root
from napari_clip_heatmap.validation import integer

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = ["LIMIT", "VARIABLE", "EncodingCache", "Pixels", "key_of", "pixels_of"]


log = logging.getLogger(__name__)

LIMIT = 10 * 10**9
"""Default limit in bytes."""

VARIABLE = "CLIP_HEATMAP_CACHE"
"""Environment variable with the path of another cache folder."""

_ENDING = ".zarr.zip"

_LIMIT_FILE = "limit"

_ABANDONED = 24 * 3600
"""Seconds after which a half-written file must be from a program that died."""


class EncodingCache:
    """A folder of encodings, one Zarr file each, that several programs may use at once.

    An entry is written under another name and renamed, and verified whenever it is read; damaged
    entries are removed. The limit is stored in the folder, so that all programs use the same one.
    Beyond it, the least recently used entries are removed. Nothing is kept in memory or open.

    Parameters
    ----------
    folder : Path, optional
        By default that of the environment variable ``CLIP_HEATMAP_CACHE``, or one in the user's
        cache folder. It is created when something is stored.

    Examples
    --------
    >>> cache = nch.EncodingCache()
    >>> encoding = nch.encode(model, image, cache=cache)  # the second time it is read from disk
    """

    def __init__(self, folder: Path | None = None) -> None:
        if folder is not None and not isinstance(folder, str | os.PathLike):
            raise SettingsError(
                f"the cache's folder is {shown_value(folder)}; accepted: a path, or None"
            )
        self.folder = _users_folder() if folder is None else Path(folder)
        self._reported = False

    def get(self, key: str, model: ClipModel) -> Encoding | None:
        """Return an encoding of the whole image, as far as it was done; None if there is none.

        Parameters
        ----------
        key : str
            From `key_of`, for this model.
        model : ClipModel
        """
        path = self._path(key)
        found = _stamp(path)
        if found is None:
            return None
        try:
            record, arrays = read_arrays(path)
            if record.get("key") != key:
                raise EncodingFileError(f"'{path}' holds another encoding than its name says")
        except EncodingFileError as error:
            if _stamp(path) == found:  # otherwise another program removed or replaced it
                log.warning("A cached encoding is removed and computed again: %s", error)
                _remove(path)
            return None
        _touch(path)
        return encoding_of(record, arrays, model.text, model.describe())

    def put(self, key: str, encoding: Encoding) -> bool:
        """Store what is done of an encoding, whatever its region; return whether it was stored.

        A disk error is logged, and does not stop the work.
        """
        record, arrays = encoding_arrays(
            replace(encoding, region=Region(), coarse=None, notices=())
        )
        record["key"] = key
        limit = self.limit
        if sum(array.nbytes for array in arrays.values()) > limit:
            log.info("An encoding exceeds the cache's limit of %d bytes; it is not stored", limit)
            return False
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_arrays(self._path(key), record, arrays)
            self._make_room(limit)
        except OSError as error:
            # Once is enough: a run of many planes would repeat it for each.
            level = logging.DEBUG if self._reported else logging.WARNING
            log.log(level, "An encoding could not be stored in '%s': %s", self.folder, error)
            self._reported = True
            return False
        return True

    def clear(self) -> int:
        """Remove all entries, and return their bytes."""
        freed = sum(size for path, size, _ in self._entries() if _remove(path))
        self._sweep()
        return freed

    @property
    def size(self) -> int:
        """Bytes of all entries."""
        return sum(size for _, size, _ in self._entries())

    def __len__(self) -> int:
        return sum(1 for _ in self._entries())

    @property
    def limit(self) -> int:
        """Bytes that all entries together may take; the least recently used are removed first.

        Setting it changes it for every program that uses the folder; 0 stores nothing.

        Raises
        ------
        SettingsError
            It is set to something else than a whole number from 0 up.
        OutputError
            It is set, and cannot be saved.
        """
        try:
            return max(0, int((self.folder / _LIMIT_FILE).read_text(encoding="ascii")))
        except (OSError, ValueError):  # never set, or not a number
            return LIMIT

    @limit.setter
    def limit(self, size: int) -> None:
        size = integer("the cache's limit in bytes", size, 0, 2**63 - 1)
        part = self.folder / f".{_LIMIT_FILE}-{uuid4().hex}{PART}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            part.write_text(str(int(size)), encoding="ascii")
            part.replace(self.folder / _LIMIT_FILE)
            self._make_room(size)
        except OSError as error:
            raise OutputError(
                f"the cache's limit cannot be set in '{self.folder}' ({error.strerror or error})"
            ) from error

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{_ENDING}"

    def _entries(self) -> Iterator[tuple[Path, int, int]]:
        """Yield each entry, its bytes, and when it was last used."""
        for path in self.folder.glob(f"[!.]*{_ENDING}"):
            try:
                about = path.stat()
            except FileNotFoundError:  # another program removed it
                continue
            yield path, about.st_size, about.st_mtime_ns

    def _make_room(self, limit: int) -> None:
        self._sweep()
        entries = sorted(self._entries(), key=lambda entry: entry[2])
        total = sum(size for _, size, _ in entries)
        for path, size, _ in entries:
            if total > limit and _remove(path):
                total -= size

    def _sweep(self) -> None:
        """Remove half-written files of programs that died."""
        for path in self.folder.glob(f".*{PART}*"):
            try:
                abandoned = path.stat().st_mtime < time.time() - _ABANDONED
            except FileNotFoundError:  # it was finished and renamed
                continue
            if abandoned:
                _remove(path)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what identifies a file among others of the same name; None if it does not exist."""
    try:
        about = path.stat()
    except OSError:  # it is not there, or in a folder that must not be read
        return None
    return about.st_ino, about.st_size, about.st_mtime_ns


def _remove(path: Path) -> bool:
    """Remove a file and return whether it is gone: on Windows, files that are open stay."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("'%s' could not be removed: %s", path, error)
        return False
    return True


def _touch(path: Path) -> None:
    """Mark a file as used now."""
    try:
        os.utime(path)
    except OSError as error:  # a shared folder that is read-only
        log.info("'%s' could not be marked as used: %s", path, error)


def _users_folder() -> Path:
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    return cache_root() / "encodings"


METHOD = 2
"""Increased when the same image, view, model and lattice give other numbers than before."""

Pixels = list[list[dict[str, object]]]
"""What identifies the pixels of each channel."""


def pixels_of(channels: Sequence[Channel]) -> Pixels | None:
    """Return what identifies the pixels of an image; None if nothing does.

    Raises
    ------
    Exception
        Whatever reading the pixels raises.
    """
    contents = []
    for channel in channels:
        content = content_of(channel)
        if content is None:
            return None
        contents.append(content)
    return contents


def key_of(
    pixels: Pixels, model: ClipModel, channels: Sequence[Channel], view: View, lattice: Lattice
) -> str:
    """Return a name that no other encoding has.

    It is a hash of the pixels, how they are shown, the resolution and tiling, and the model's
    description: weights, preprocessing, precision, device and versions. The region is not part of
    it: tiles are the same for all regions.
    """
    several = len(channels) > 1
    return hash_json(
        {
            "method": METHOD,
            "pixels": pixels,
            "shown": [_shown(channel, view, several=several) for channel in channels],
            "view": asdict(view),
            "lattice": lattice_record(lattice),
            "model": model.describe(),
        }
    )


def _shown(channel: Channel, view: View, *, several: bool) -> list[Any]:
    """Return which display settings of a channel change what a view shows."""
    lut = None if channel.lut is None else np.asarray(channel.lut, np.float32).tolist()
    if view.mode != "shown":
        return [lut if several else None]
    limits = channel.limits and [float(limit) for limit in channel.limits]
    drawn = [] if channel.blend is None else [asdict(channel.blend)]
    return [limits, float(channel.gamma), lut, *drawn]
