"""The folder of a job: what is done of each image, who is at work on it, and what belongs to whom.

Results lie in the folder itself. What the job knows of them is in the hidden folder `STATE`: one
record per image, one lock per image, and the finished tiles of images that are not done.
"""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

from napari_clip_heatmap.batch.inputs.batch_image import ImageEntry
from napari_clip_heatmap.batch.run_settings import RunSettings
from napari_clip_heatmap.batch.whole_output import DRAFT, disk_errors, remove_path, write_json
from napari_clip_heatmap.errors import OutputError, shorten
from napari_clip_heatmap.files.file_names import slug

__all__ = ["ENCODING_SUFFIX", "JOB_FILE", "STATE", "JobFolder", "JobImage"]

ENCODING_SUFFIX = "_encoding.zarr.zip"
"""What the names of encodings end with."""

STATE = ".clip-heatmap"
"""Name of the folder of what a job knows, in the job folder."""

JOB_FILE = f"{STATE}/job.json"
"""The settings of the job as of its last run, for `gather`."""

_FORMAT = 1

_ABANDONED = 3600
"""Seconds after which a half-written file must be of a process that died."""


@dataclass(frozen=True)
class JobImage:
    """An image of a job, and what its results are called.

    Parameters
    ----------
    entry : ImageEntry
    name : str
        Beginning of the names of its results; no other image of the job has it.
    number : int
        Its place among the images of the job.

    Examples
    --------
    >>> JobImage(ImageEntry("/data/cells.tif"), "cells", 0).name
    'cells'
    """

    entry: ImageEntry
    name: str
    number: int


class JobFolder:
    """The folder of a job.

    Parameters
    ----------
    folder : Path
        Not made before something is written.

    Examples
    --------
    >>> JobFolder(Path("results")).records()
    {}
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / STATE
        self._begun_files: dict[Path, dict[str, Any]] = {}

    def make(self) -> None:
        """Make the folder.

        Raises
        ------
        OutputError
            It cannot be made or written to.
        """
        try:
            for name in ("images", "begun", "locks", "thumbnails"):
                (self.state / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"the output folder '{shorten(self.folder)}' cannot be made ({error.strerror}); "
                "choose another --output"
            ) from error

    def discard_if_empty(self) -> None:
        """Remove what the job knows if there is no result, and the folder if it is empty."""
        records = self.records().values()
        if not self.state.is_dir() or any(self._has_files(record) for record in records):
            return
        if any((self.state / "tiles").glob("*/*")):
            return
        remove_path(self.state)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def name_images(self, entries: Sequence[ImageEntry]) -> list[JobImage]:
        """Return images with names for their results: those of an earlier run stay as they are."""
        records = self.records()
        known = {(each["source"], each["part"]): name for name, each in records.items()}
        taken = {name.casefold() for name in known.values()}
        first = 1 + max((each["number"] for each in records.values()), default=-1)
        images = []
        for place, entry in enumerate(entries):
            name = known.get((entry.source, entry.part))
            number = first + place if name is None else records[name]["number"]
            if name is None:
                name = _free_name(entry, taken)
                taken.add(name.casefold())
            images.append(JobImage(entry, name, number))
        return images

    def records(self) -> dict[str, dict[str, Any]]:
        """Return name -> record of every image that was begun, in the order of the images."""
        paths = sorted((self.state / "images").glob("[!.]*.json"))
        own = {path.stem: record for path in paths if (record := _read(path)) is not None}
        found = self._begun() | own
        return dict(sorted(found.items(), key=lambda each: int(each[1]["number"])))

    def inputs(self, settings: RunSettings) -> list[str]:
        """Return the inputs of all commands so far that had these settings."""
        known = _read(self.folder / JOB_FILE) or {}
        now = {"quality": settings.quality, **settings.decisive()}
        before = {"quality": "standard", **known}
        same = all(before.get(name) == value for name, value in now.items())
        return list(known["inputs"]) if known and same else []

    def record(self, name: str) -> dict[str, Any] | None:
        """Return the record of an image; None if it was not begun."""
        own = _read(self._record_path(name))
        return self._begun().get(name) if own is None else own

    def _begun(self) -> dict[str, dict[str, Any]]:
        """Return name -> record of images that some process has begun together with others."""
        known = self._begun_files
        # None where another process has just finished them.
        self._begun_files = {
            path: known.get(path) or _read(path) or {}
            for path in (self.state / "begun").glob("[!.]*.json")
        }
        return {name: each for of in self._begun_files.values() for name, each in of.items()}

    @contextmanager
    def begin_together(self, records: dict[str, dict[str, Any]]) -> Iterator[None]:
        """Keep the first records of images in one file, until each has one of its own.

        It takes a tenth of the time of a file for each, and stays where the process ends before.

        Raises
        ------
        OutputError
            The disk refuses.
        """
        if not records:
            yield
            return
        path = self.state / "begun" / f"{uuid4().hex}.json"
        with disk_errors(self.folder):
            write_json(path, records, indent=None)
        yield
        path.unlink(missing_ok=True)

    def keep(self, name: str, record: dict[str, Any]) -> dict[str, Any]:
        """Write the record of an image, and return it as it is read back.

        Raises
        ------
        OutputError
            The disk refuses.
        """
        with disk_errors(self.folder):
            text = write_json(self._record_path(name), {"format": _FORMAT, **record}, indent=None)
        kept: dict[str, Any] = json.loads(text)
        return kept

    @contextmanager
    def lock(self, name: str) -> Iterator[bool]:
        """Give whether this process alone may work on an image; others wait or take another.

        The operating system holds the lock, and gives it back when its process dies.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self._lock_path(name), timeout=0, mode=self._lock_mode)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def tiles_folder(self, name: str, plane: int) -> Path:
        """Return where the finished tiles of a plane are kept until its image is done."""
        return self.state / "tiles" / f"{name}-{plane}"

    def thumbnails(self, name: str) -> Path:
        """Return where the small pictures of an image, for the contact sheet, are kept."""
        return self.state / "thumbnails" / f"{name}.jpg"

    def is_done(self, record: dict[str, Any] | None, settings: RunSettings) -> bool:
        """Return whether a record is of these settings, and all its files are there."""
        return (
            record is not None
            and record.get("state") == "done"
            and record["settings"] == settings.identity()
            and set(settings.write) <= set(record["kinds"])
            and all((self.folder / file).exists() for file in record["files"])
        )

    def require_same_settings(self, settings: RunSettings) -> None:
        """Raise if the job has results that were made with other settings.

        Raises
        ------
        OutputError
            It has: which setting differs, and what to do.
        """
        now, identity = settings.decisive(), settings.identity()
        for name, record in self.records().items():
            if record.get("settings") == identity or not self._has_files(record):
                continue
            before = record.get("decisive", {})
            differing = [key for key in now if before.get(key) != now[key]]
            key = differing[0] if differing else "settings"
            raise OutputError(
                f"'{shorten(self.folder)}' holds results of '{shorten(name, 40)}' with other "
                f"settings ({key}: {shorten(before.get(key), 60)}, now "
                f"{shorten(now.get(key), 60)}); choose another --output, or add --overwrite"
            )

    def require_free(self, files: Sequence[str], record: dict[str, Any] | None) -> None:
        """Raise if a result would replace a file that its image, by its record, has not written.

        Raises
        ------
        OutputError
        """
        own = set(record["files"]) if record else set()
        for file in files:
            if file not in own and (self.folder / file).exists():
                raise OutputError(
                    f"'{shorten(self.folder)}' holds '{shorten(file, 60)}', which this job has not "
                    "written; choose another --output, or add --overwrite"
                )

    def _has_files(self, record: dict[str, Any]) -> bool:
        return any((self.folder / file).exists() for file in record["files"])

    def sweep_drafts(self) -> None:
        """Remove what dead processes left half written long ago, or others have finished since."""
        before = time.time() - _ABANDONED
        for path in (self.state / "begun").glob("[!.]*.json"):
            if all(self._record_path(name).exists() for name in _read(path) or ()):
                path.unlink(missing_ok=True)
        drafts = [*self.folder.glob(f"{DRAFT}-*"), *self.state.glob(f"*/{DRAFT}-*")]
        for path in [*drafts, *self.state.glob("stop-*")]:
            try:
                abandoned = path.stat().st_mtime < before
            except FileNotFoundError:  # another process finished it
                continue
            if abandoned:
                remove_path(path)

    @cached_property
    def _lock_mode(self) -> int:
        """Who may take a lock: whoever may write to the folder.

        Without a mode filelock makes a file to find it out, each time.
        """
        return 0o666 & stat.S_IMODE((self.state / "locks").stat().st_mode)

    def _record_path(self, name: str) -> Path:
        return self.state / "images" / f"{name}.json"

    def _lock_path(self, name: str) -> Path:
        return self.state / "locks" / f"{name}.lock"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OutputError(
            f"the record '{shorten(path)}' cannot be read ({shorten(error, 80)}); remove it, and "
            "repeat the command"
        ) from error
    return content if isinstance(content, dict) else None


def _free_name(entry: ImageEntry, taken: set[str]) -> str:
    """Return a name of letters, digits and hyphens that no other image has."""
    source = Path(entry.source)
    stem = source.stem.removesuffix(".ome") if entry.reader == "zarr" else source.stem
    if entry.reader == "encoding":
        stem = source.name.removesuffix(ENCODING_SUFFIX).removesuffix(".zarr.zip")
    base = slug(f"{stem} {entry.part}", fallback="image")
    name, number = base, 1
    while name.casefold() in taken:
        number += 1
        name = f"{base}-{number}"
    return name
