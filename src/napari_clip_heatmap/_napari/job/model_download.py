"""A model's files onto this machine, told bit by bit; knows no Qt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap._napari.job.request import Step
from napari_clip_heatmap._napari.startup import import_towers
from napari_clip_heatmap.clip.torch_import import explained
from napari_clip_heatmap.errors import Cancelled

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.catalog import CatalogueEntry

__all__ = ["Bring", "Brought", "Catalogue", "bring", "bring_missing", "downloading"]


EVERY = 0.1
"""Seconds between two looks at how much has come."""

MEGABYTE = 10**6

_ONE_AT_A_TIME = threading.Lock()
"""Two downloads of one model, as by the chooser and by a run, would write the same file."""


@dataclass(frozen=True)
class Brought:
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


Bring = Callable[[str, Callable[[], bool]], Iterator[Brought]]
"""Brings a model of that name, unless the second argument says that it is no longer wanted."""


def bring(
    name: str, cancelled: Callable[[], bool], download: Callable[..., object] | None = None
) -> Iterator[Brought]:
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


def bring_missing(name: str, cancelled: Callable[[], bool]) -> Iterator[Brought]:
    """Download a model if it is not on this machine; otherwise yield nothing.

    Raises
    ------
    ModelLoadError, UnsupportedModelError, Cancelled
        As `api.download_model` raises them.
    """
    with explained():
        import_towers()
        from napari_clip_heatmap.clip.sources.resolve import needs_download
    if needs_download(name):
        yield from bring(name, cancelled)


def downloading(name: str, brought: Brought) -> Step:
    """Tell of a download, in megabytes: Qt's bars do not count as far as bytes go."""
    here, total = (bytes_ // MEGABYTE for bytes_ in (brought.here, brought.total))
    so_far = f": {here} of {total} MB" if total else ""
    return Step(f"Downloading {name}{so_far}", here, total, brought.seconds_left)


class _Meter:
    """Keeps what a download told last; written by its thread, read by another."""

    def __init__(self) -> None:
        self.now = Brought()
        self._first: tuple[float, int] | None = None

    def tell(self, here: int, total: int) -> None:
        now = time.monotonic()
        self._first = self._first or (now, here)  # what was here before took no time
        seconds, came = now - self._first[0], here - self._first[1]
        left = (total - here) * seconds / came if came else None
        self.now = Brought(here, total, left)


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
    with explained():
        import_towers()
    from napari_clip_heatmap import api

    return api.download_model


def _listed() -> tuple[CatalogueEntry, ...]:
    with explained():
        import_towers()
    from napari_clip_heatmap.api import list_models

    return list_models()


def _alike(path: Path) -> tuple[str, ...] | None:
    with explained():
        import_towers()
        from napari_clip_heatmap.clip.sources.local import architectures_alike
    return architectures_alike(path)


def _bring(name: str, cancelled: Callable[[], bool]) -> Iterator[Brought]:
    return bring(name, cancelled)


@dataclass(frozen=True)
class Catalogue:
    """What there is to choose from; all of it takes its time, so it is called in threads.

    Parameters
    ----------
    listed : callable() -> tuple of CatalogueEntry
    bring : callable
        Downloads a model; see `bringing.bring`.
    alike : callable(Path) -> tuple of str or None
        What the weights in a file are like; see `clip.file.architectures_alike`.
    """

    listed: Callable[[], tuple[CatalogueEntry, ...]] = _listed
    bring: Bring = _bring
    alike: Callable[[Path], tuple[str, ...] | None] = _alike
