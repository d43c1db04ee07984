"""What the chooser asks of the library: list, download and time models; knows no Qt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
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
    from napari_clip_heatmap.pipeline.speed import MeasuredSpeed

__all__ = [
    "AT_ONCE",
    "Download",
    "DownloadProgress",
    "ModelCatalog",
    "download_missing",
    "download_step",
    "download_with_progress",
]


POLL_SECONDS = 0.1

MEGABYTE = 10**6

AT_ONCE = 1
"""Batches that a CPU computes side by side for the dock. A window needs the interpreter too, and
beside two threads that compute, more than twice as many of its beats are late
(benchmarks/window.py).
"""

_LOCK = threading.Lock()
"""Two downloads of one model, by the chooser and by a run, would write the same file."""


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


Download = Callable[[str, Callable[[], bool]], Iterator[DownloadProgress]]
"""Downloads the model of a name, until ``stopped()`` is true."""


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
        work = thread.submit(
            _one_at_a_time, download or _download_by_api(), name, meter.update, stopped
        )
        try:
            while not wait([work], POLL_SECONDS).done:
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


def download_step(name: str, progress: DownloadProgress) -> RunStep:
    """Return the step to show for a download, in megabytes: bytes overflow Qt's progress bars."""
    here, total = (bytes_ // MEGABYTE for bytes_ in (progress.here, progress.total))
    so_far = f": {here} of {total} MB" if total else ""
    return RunStep(f"Downloading {name}{so_far}", here, total, progress.seconds_left)


class _Meter:
    """The latest progress of a download; written by its thread, read by another."""

    def __init__(self) -> None:
        self.now = DownloadProgress()
        self._first: tuple[float, int] | None = None

    def update(self, here: int, total: int) -> None:
        now = time.monotonic()
        self._first = self._first or (now, here)  # what was here before took no time
        seconds, came = now - self._first[0], here - self._first[1]
        left = (total - here) * seconds / came if came else None
        self.now = DownloadProgress(here, total, left)


def _one_at_a_time(
    download: Callable[..., object],
    name: str,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> None:
    while not _LOCK.acquire(timeout=POLL_SECONDS):
        if cancelled():
            raise Cancelled("The download was cancelled before it began.")
    try:
        download(name, progress=progress, cancelled=cancelled)
    finally:
        _LOCK.release()


def _download_by_api() -> Any:
    """Import the library late: it takes seconds."""
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


def _measured(
    architecture: str, options: Mapping[str, str], stopped: Callable[[], bool]
) -> MeasuredSpeed:
    with torch_import_errors():
        import_torch_and_open_clip()
        from napari_clip_heatmap.pipeline.speed import measure_architecture
    # As a session encodes.
    return measure_architecture(architecture, **options, at_once=AT_ONCE, cancelled=stopped)


Measure = Callable[[str, Mapping[str, str], Callable[[], bool]], "MeasuredSpeed"]
"""Times an architecture, with options of `measure_architecture`, until ``stopped()`` is true."""


@dataclass(frozen=True)
class ModelCatalog:
    """Where the chooser's models come from; every call may take seconds, so call it in a thread.

    Parameters
    ----------
    listed : callable() -> tuple of CatalogEntry
    download : callable
        Downloads a model; see `download_with_progress`.
    alike : callable(Path) -> tuple of str or None
        Architectures that the weights in a file fit; see `architectures_alike`.
    measure : callable
        Times an architecture on this machine; see `measure_architecture`.
    """

    listed: Callable[[], tuple[CatalogEntry, ...]] = _listed
    download: Download = download_with_progress
    alike: Callable[[Path], tuple[str, ...] | None] = _alike
    measure: Measure = _measured
