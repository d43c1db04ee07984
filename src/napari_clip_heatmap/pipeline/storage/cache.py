"""Encodings kept on disk: each image is encoded once, whichever window or program asks."""

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

from napari_clip_heatmap.errors import EncodingFileError, OutputError, SettingsError
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
from napari_clip_heatmap.pipeline.storage.zarr_file import PART, digest, read_arrays, write_arrays

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = ["LIMIT", "VARIABLE", "EncodingCache", "Pixels", "key_of", "pixels_of"]


log = logging.getLogger(__name__)

LIMIT = 10 * 10**9
"""Bytes, where the user has set no other limit."""

VARIABLE = "CLIP_HEATMAP_CACHE"
"""Environment variable that names another folder than the user's cache folder."""

_ENDING = ".zarr.zip"

_LIMIT_FILE = "limit"

_ABANDONED = 24 * 3600
"""Seconds after which what is half written is of a program that has died."""


class EncodingCache:
    """A folder of encodings, one Zarr file each, that several programs may use at once.

    An entry is written aside and renamed, and verified whenever it is read; one that is damaged is
    removed. Beyond the limit, which is kept in the folder so that all who use it agree, those that
    were not used for longest go. Nothing is held in memory or open.

    Parameters
    ----------
    folder : Path, optional
        By default the one that the environment variable ``CLIP_HEATMAP_CACHE`` names, else one in
        the user's cache folder. It is made when something is put there.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or _users_folder()

    def get(self, key: str, model: ClipModel) -> Encoding | None:
        """Return an encoding as far as it was done, of the whole image; None if there is none.

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
            if _stamp(path) == found:  # else another program has removed or replaced it meanwhile
                log.warning("A kept encoding is removed, and made anew: %s", error)
                _remove(path)
            return None
        _touch(path)
        return encoding_of(record, arrays, model.text, model.describe())

    def put(self, key: str, encoding: Encoding) -> bool:
        """Keep what is done of an encoding, whatever its region; say whether it was.

        A disk that refuses stops nobody's work: it is logged.
        """
        record, arrays = encoding_arrays(
            replace(encoding, region=Region(), coarse=None, notices=())
        )
        record["key"] = key
        limit = self.limit
        if sum(array.nbytes for array in arrays.values()) > limit:
            log.info("An encoding is larger than the cache's limit of %d bytes; not kept", limit)
            return False
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_arrays(self._path(key), record, arrays)
            self._make_room(limit)
        except OSError as error:
            log.warning("An encoding could not be kept in '%s': %s", self.folder, error)
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
        """Bytes that the entries may take together; those not used for longest go first.

        Set, it holds for everybody who uses the folder, from now on; 0 keeps nothing.

        Raises
        ------
        SettingsError
            It is set to less than 0.
        OutputError
            It is set, and cannot be written down.
        """
        try:
            return max(0, int((self.folder / _LIMIT_FILE).read_text(encoding="ascii")))
        except (OSError, ValueError):  # never set, or no number
            return LIMIT

    @limit.setter
    def limit(self, size: int) -> None:
        if size < 0:
            raise SettingsError(f"the cache's limit is {size} bytes; accepted: 0 or more")
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
            except FileNotFoundError:  # another program has removed it meanwhile
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
        """Remove what programs that died have left half written."""
        for path in self.folder.glob(f".*{PART}*"):
            try:
                abandoned = path.stat().st_mtime < time.time() - _ABANDONED
            except FileNotFoundError:  # it is finished, and has its name
                continue
            if abandoned:
                _remove(path)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what tells a file from another of its name; None where there is none."""
    try:
        about = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return about.st_ino, about.st_size, about.st_mtime_ns


def _remove(path: Path) -> bool:
    """Remove a file, and say whether it is gone: on Windows one that is being read stays."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("'%s' could not be removed: %s", path, error)
        return False
    return True


def _touch(path: Path) -> None:
    """Note that a file was used now."""
    try:
        os.utime(path)
    except OSError as error:  # a folder that is shared, and not ours to write to
        log.info("That '%s' was used could not be noted: %s", path, error)


def _users_folder() -> Path:
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("napari-clip-heatmap", appauthor=False) / "encodings"


METHOD = 1
"""Raised when the same image, view, model and lattice come to give other numbers."""

Pixels = list[list[dict[str, object]]]
"""What names the pixels of each channel."""


def pixels_of(channels: Sequence[Channel]) -> Pixels | None:
    """Read what names the pixels of an image; None where nothing does.

    Raises
    ------
    Exception
        Whatever reading the pixels raises.
    """
    encoding_arrays = []
    for channel in channels:
        content = content_of(channel)
        if content is None:
            return None
        encoding_arrays.append(content)
    return encoding_arrays


def key_of(
    pixels: Pixels, model: ClipModel, channels: Sequence[Channel], view: View, lattice: Lattice
) -> str:
    """Return a name that another encoding has another of.

    It holds the pixels, how they are shown, the resolution and tiling, and all that the model says
    of itself: its weights, preprocessing, precision, device and the versions it runs in.

    A region is no part of it: tiles are the same for all regions.
    """
    several = len(channels) > 1
    return digest(
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
    """Return what of a channel's own look counts in a view."""
    lut = None if channel.lut is None else np.asarray(channel.lut, np.float32).tolist()
    if view.mode != "shown":
        return [lut if several else None]
    limits = channel.limits and [float(limit) for limit in channel.limits]
    drawn = [] if channel.blend is None else [asdict(channel.blend)]
    return [limits, float(channel.gamma), lut, *drawn]
