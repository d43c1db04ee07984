"""A job on a cluster: Dask gives images, and tiles of large ones, to its workers.

Workers read the images and write to the job folder themselves, so both must be there under the
same paths. What travels through the scheduler are names and records.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from napari_clip_heatmap.batch.image_outcome import ImageOutcome, WorkState, reason_of
from napari_clip_heatmap.batch.image_worker import ImageWorker
from napari_clip_heatmap.batch.job_folder import JobFolder
from napari_clip_heatmap.batch.run_job import load_job_model, run_images
from napari_clip_heatmap.batch.run_settings import RunSettings
from napari_clip_heatmap.batch.spread_tiles import TileChunk, bytes_of, chunks_left, compute_chunk
from napari_clip_heatmap.errors import (
    Cancelled,
    DeviceError,
    ImageError,
    SettingsError,
    shorten,
)

if TYPE_CHECKING:
    from distributed import Client, Future

    from napari_clip_heatmap.batch.job_folder import JobImage
    from napari_clip_heatmap.pipeline.remote.scheduler import Tls

__all__ = [
    "ClusterTask",
    "remote_cluster",
    "run_on_cluster",
    "threads_per_worker",
]

_WAITING = 3
"""Tasks per thread of all workers that are given out at a time."""

_SMALL = 2**20
"""Bytes of files that are given out together: so no worker is long the last one at work."""

_FEWEST, _MOST = 8, 32
"""Small images in a task: they share batches of the model, and the way to a worker and back."""


@dataclass(frozen=True)
class ClusterTask:
    """What a worker needs to know of a job, in plain values.

    Parameters
    ----------
    settings : str
        The record of the settings, as JSON.
    overwrite : bool
        As `ImageWorker` takes it.
    cached : bool
        Whether the cache of encodings is used.
    threads : int, optional
        For the model; by default as the worker has it.
    token : str
        Tells this run of the job from others.

    Examples
    --------
    >>> ClusterTask.of(settings).overwrite  # doctest: +SKIP
    False
    """

    settings: str
    overwrite: bool = False
    cached: bool = True
    threads: int | None = None
    token: str = field(default_factory=lambda: uuid4().hex)

    @classmethod
    def of(cls, settings: RunSettings, **others: Any) -> ClusterTask:
        """Return the task of a job."""
        import json

        return cls(json.dumps(settings.record()), **others)

    @property
    def stop_file(self) -> Path:
        """While it is there, workers stop after the tile at hand."""
        import json

        folder = JobFolder(Path(json.loads(self.settings)["output"]))
        return folder.state / f"stop-{self.token}"


@contextmanager
def remote_cluster(address: str, tls: Tls | None = None) -> Iterator[Client]:
    """Connect to a scheduler that is there already.

    Raises
    ------
    DeviceError
        None answers at the address, or it has no workers.

    Examples
    --------
    >>> with remote_cluster("tcp://host:8786") as client:  # doctest: +SKIP
    ...     outcomes = list(run_on_cluster(task, images, client))
    """
    from napari_clip_heatmap.pipeline.remote.scheduler import Scheduler, connect

    # A scheduler that is named for a job is trusted, as the help of --scheduler says.
    with _quiet_logs(), connect(Scheduler(address, tls, trusted=True)) as client:
        yield client


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Keep tracebacks of a lost connection off the screen: what matters is raised."""
    logger = logging.getLogger("distributed.client")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)  # not after an error: the thread of the connection is still at it


def run_on_cluster(
    task: ClusterTask,
    images: Sequence[JobImage],
    client: Client,
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[ImageOutcome]:
    """Do the images of a job on the workers of a cluster.

    Yields
    ------
    ImageOutcome
        Of each image, as they are done.

    Raises
    ------
    DeviceError
        The scheduler is lost.
    OutputError
        The disk is full or fails.
    Cancelled
        What is done is kept.

    Examples
    --------
    >>> for outcome in run_on_cluster(task, job.images, client):  # doctest: +SKIP
    ...     print(outcome.image.name)
    """
    run = _ClusterRun(task, deque(images), client)
    try:
        while run.busy:
            run.fill()
            yield from run.finished()
            progress(run.n_done, len(images))
            if cancelled():
                raise Cancelled("stopped; what is done is kept")
    finally:
        run.stop()


@dataclass(eq=False)
class _ClusterRun:
    """The futures of a run, and what each of them is."""

    task: ClusterTask
    waiting: deque[JobImage]
    client: Client
    n_done: int = 0
    _n_threads: int = 1

    def __post_init__(self) -> None:
        self._begun: dict[Future, tuple[JobImage, ...]] = {}
        self._chunks: dict[Future, JobImage] = {}
        self._left: dict[JobImage, int] = {}
        self._problems: dict[JobImage, str] = {}

    @property
    def busy(self) -> bool:
        return bool(self.waiting or self._begun or self._chunks)

    def fill(self) -> None:
        """Begin as many images as keep all workers busy."""
        if self.client.status in ("closing", "closed"):  # the scheduler was shut down
            raise _lost()
        self._n_threads = max(1, sum(self.client.nthreads().values()))
        while self.waiting and len(self._begun) + len(self._chunks) < self._n_threads * _WAITING:
            self._begin(*self._next_images())

    def _next_images(self) -> list[JobImage]:
        """Take the next image, or several small ones, but leave some for each thread."""
        most = min(_MOST, max(_FEWEST, len(self.waiting) // (2 * self._n_threads)))
        images = [self.waiting.popleft()]
        size = bytes_of(images[0])
        while self.waiting and len(images) < most:
            size += bytes_of(self.waiting[0])
            if size > _SMALL:
                break
            images.append(self.waiting.popleft())
        return images

    def finished(self) -> list[ImageOutcome]:
        """Wait until something is done, for a second at most, and return images that are."""
        from distributed import wait
        from distributed.client import FuturesCancelledError

        futures = [*self._begun, *self._chunks]
        with suppress(TimeoutError, FuturesCancelledError):
            wait(futures, timeout=1, return_when="FIRST_COMPLETED")
        outcomes: list[ImageOutcome] = []
        for future in [each for each in futures if each.done()]:
            after = self._after_chunk if future in self._chunks else self._after_images
            outcomes += after(future)
        self.n_done += len(outcomes)
        return outcomes

    def stop(self) -> None:
        """Let workers stop after the tile at hand, and forget what was not begun."""
        if not (left := [*self._begun, *self._chunks]):
            return
        with suppress(OSError):
            self.task.stop_file.touch()
        if self.client.status == "running":
            with suppress(OSError, RuntimeError):
                self.client.cancel(left, force=True)

    def _begin(self, *images: JobImage) -> None:
        self._begun[self._submit(_begin, images, self._n_threads)] = images

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Future:
        # Results depend on files, so the same call is another task each time.
        future: Future = self.client.submit(function, self.task, *arguments, pure=False)
        return future

    def _after_images(self, future: Future) -> Sequence[ImageOutcome]:
        """Return how images ended, after their task; tiles that are left of one are given out."""
        images = self._begun.pop(future)
        result = self._result(future)
        if result is None and len(images) > 1:
            for image in images:  # one of them is too much
                self._begin(image)
            return ()
        if isinstance(result, list):
            (image,) = images
            self._left[image] = len(result)
            for chunk in result:
                self._chunks[self._submit(_chunk, image, chunk)] = image
            return ()
        return (_too_much(images[0]),) if result is None else result

    def _after_chunk(self, future: Future) -> Sequence[ImageOutcome]:
        """Return how an image ended, where this was its last chunk and not all went well."""
        image = self._chunks.pop(future)
        result = self._result(future)
        self._left[image] -= 1
        if result is None:
            self._problems[image] = _too_much(image).reason
        elif isinstance(result, ImageOutcome):
            self._problems[image] = result.reason
        if self._left[image]:
            return ()
        if image in self._problems:
            return (ImageOutcome(image, WorkState.FAILED, self._problems[image]),)
        self._begun[self._submit(_finish, (image,))] = (image,)
        return ()

    def _result(self, future: Future) -> Any:
        """Return what a task gave; None if workers died at it."""
        from distributed import KilledWorker

        if future.status in ("lost", "cancelled"):
            raise _lost()
        error = future.exception()
        if error is None:
            return future.result()
        if isinstance(error, KilledWorker):
            return None
        raise error


def _lost() -> DeviceError:
    what = "the scheduler or its workers were lost; what is done is kept"
    return DeviceError(f"{what}. Start them, and repeat the command to go on")


def _too_much(image: JobImage) -> ImageOutcome:
    """Return the outcome of an image at which workers died."""
    why = "workers died at it again and again, most often for want of memory"
    reason = f"'{shorten(image.entry.label)}': {why}; use fewer workers, or a larger --downsample"
    return ImageOutcome(image, WorkState.FAILED, reason)


@lru_cache(maxsize=2)
def _worker(task: ClusterTask) -> ImageWorker:
    """Return what does the work in this process; the model is loaded once."""
    import json

    import torch

    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

    settings = RunSettings.from_record(json.loads(task.settings))
    if task.threads is not None:
        torch.set_num_threads(task.threads)
    stop = task.stop_file
    return ImageWorker(
        load_job_model(settings),
        settings,
        JobFolder(settings.output),
        EncodingCache() if task.cached else None,
        task.overwrite,
        cancelled=stop.exists,
    )


def _begin(
    task: ClusterTask, images: tuple[JobImage, ...], n_threads: int
) -> tuple[ImageOutcome, ...] | list[TileChunk]:
    """Do images, or return the chunks of one that is large."""
    worker = _worker(task)
    if len(images) == 1:
        try:
            if chunks := chunks_left(worker, images[0], n_threads):
                return chunks
        except (ImageError, SettingsError, MemoryError) as error:
            reason = reason_of(images[0], error)
            return (ImageOutcome(images[0], WorkState.FAILED, reason),)
    return _finish(task, images)


def _finish(task: ClusterTask, images: tuple[JobImage, ...]) -> tuple[ImageOutcome, ...]:
    """Do what is left of images; those that another process works on are waited for."""
    return tuple(run_images(_worker(task), images))


def _chunk(task: ClusterTask, image: JobImage, chunk: TileChunk) -> ImageOutcome | int:
    """Compute some tiles of an image."""
    try:
        return compute_chunk(_worker(task), image, chunk)
    except (ImageError, MemoryError) as error:
        return ImageOutcome(image, WorkState.FAILED, reason_of(image, error))


def threads_per_worker(n_workers: int) -> int:
    """Return how many threads the model of each of several workers gets on this machine.

    Examples
    --------
    >>> threads_per_worker(10**6)
    1
    """
    return max(1, (os.cpu_count() or 1) // n_workers)
