"""A model's files onto this machine, told bit by bit; knows no Qt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap._napari.job.request import RunStep
from napari_clip_heatmap._napari.startup import import_torch_and_open_clip
from napari_clip_heatmap.clip.torch_import import torch_import_errors
from napari_clip_heatmap.errors import Cancelled

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.catalog import CatalogEntry

__all__ = [
    "Bring",
    "DownloadProgress",
    "ModelCatalog",
    "download_missing",
    "download_step",
    "download_with_progress",
]


EVERY = 0.1
"""Seconds between two looks at how much has come."""

MEGABYTE = 10**6

_ONE_AT_A_TIME = threading.Lock()
"""Two downloads of one model, as by the chooser and by a run, would write the same file."""


@dataclass(frozen=True)
class DownloadProgress:
    """How far a download is.

    Parameters
    ----------
    here, total : int
        Bytes; `total` 0 as long as that is unknown.
    seconds_left : float, optional
        At the speed until now.
    """

    here: int = 0
    total: int = 0
    seconds_left: float | None = None


Bring = Callable[[str, Callable[[], bool]], Iterator[DownloadProgress]]
"""Brings a model of that name, unless the second argument says that it is no longer wanted."""


def download_with_progress(
    name: str, cancelled: Callable[[], bool], download: Callable[..., object] | None = None
) -> Iterator[DownloadProgress]:
    """Download a model in a thread that ends with this iterator, however that ends.

    Parameters
    ----------
    name : str
        "ARCH/TAG" of open_clip, or "hf-hub:ORG/NAME".
    cancelled : callable() -> bool
        Asked at every piece; what has come is kept, and the next download goes on from there.
    download : callable, optional
        Stands in for `api.download_model`.

    Raises
    ------
    ModelLoadError, UnsupportedModelError, Cancelled
        As `api.download_model` raises them.
    """
    meter, stop = _Meter(), threading.Event()

    def stopped() -> bool:
        return stop.is_set() or cancelled()

    with ThreadPoolExecutor(1, thread_name_prefix="clip-heatmap-download") as thread:
        work = thread.submit(_alone, download or _download(), name, meter.tell, stopped)
        try:
            while not wait([work], EVERY).done:
                yield meter.now
        finally:
            stop.set()
    yield meter.now
    work.result()


def download_missing(name: str, cancelled: Callable[[], bool]) -> Iterator[DownloadProgress]:
    """Download a model if it is not on this machine; otherwise yield nothing.

    Raises
    ------
    ModelLoadError, UnsupportedModelError, Cancelled
        As `api.download_model` raises them.
    """
    with torch_import_errors():
        import_torch_and_open_clip()
        from napari_clip_heatmap.clip.sources.resolve import needs_download
    if needs_download(name):
        yield from download_with_progress(name, cancelled)


def download_step(name: str, brought: DownloadProgress) -> RunStep:
    """Tell of a download, in megabytes: Qt's bars do not count as far as bytes go."""
    here, total = (bytes_ // MEGABYTE for bytes_ in (brought.here, brought.total))
    so_far = f": {here} of {total} MB" if total else ""
    return RunStep(f"Downloading {name}{so_far}", here, total, brought.seconds_left)


class _Meter:
    """Keeps what a download told last; written by its thread, read by another."""

    def __init__(self) -> None:
        self.now = DownloadProgress()
        self._first: tuple[float, int] | None = None

    def tell(self, here: int, total: int) -> None:
        now = time.monotonic()
        self._first = self._first or (now, here)  # what was here before took no time
        seconds, came = now - self._first[0], here - self._first[1]
        left = (total - here) * seconds / came if came else None
        self.now = DownloadProgress(here, total, left)


def _alone(
    download: Callable[..., object],
    name: str,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> None:
    while not _ONE_AT_A_TIME.acquire(timeout=EVERY):
        if cancelled():
            raise Cancelled("The download was cancelled before it began.")
    try:
        download(name, progress=progress, cancelled=cancelled)
    finally:
        _ONE_AT_A_TIME.release()


def _download() -> Any:
    """Import what takes seconds, late."""
    with torch_import_errors():
        import_torch_and_open_clip()
    from napari_clip_heatmap import api

    return api.download_model


def _listed() -> tuple[CatalogEntry, ...]:
    with torch_import_errors():
        import_torch_and_open_clip()
    from napari_clip_heatmap.api import list_models

    return list_models()


def _alike(path: Path) -> tuple[str, ...] | None:
    with torch_import_errors():
        import_torch_and_open_clip()
        from napari_clip_heatmap.clip.sources.local import architectures_alike
    return architectures_alike(path)


def _bring(name: str, cancelled: Callable[[], bool]) -> Iterator[DownloadProgress]:
    return download_with_progress(name, cancelled)


@dataclass(frozen=True)
class ModelCatalog:
    """What there is to choose from; all of it takes its time, so it is called in threads.

    Parameters
    ----------
    listed : callable() -> tuple of CatalogEntry
    download : callable
        Downloads a model; see `download_with_progress`.
    alike : callable(Path) -> tuple of str or None
        What the weights in a file are like; see `clip.file.architectures_alike`.
    """

    listed: Callable[[], tuple[CatalogEntry, ...]] = _listed
    download: Bring = _bring
    alike: Callable[[Path], tuple[str, ...] | None] = _alike
