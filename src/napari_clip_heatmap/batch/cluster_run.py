"""A job on a cluster: Dask gives images, and tiles of large ones, to its workers.

Workers read the images and write to the job folder themselves, so both must be there under the
same paths. What travels through the scheduler are names and records.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from napari_clip_heatmap.batch.image_worker import ImageOutcome, ImageWorker, WorkState
from napari_clip_heatmap.batch.job_folder import JobFolder
from napari_clip_heatmap.batch.run_job import load_job_model
from napari_clip_heatmap.batch.run_settings import RunSettings
from napari_clip_heatmap.batch.spread_tiles import TileChunk, chunks_left, compute_chunk
from napari_clip_heatmap.errors import Cancelled, DeviceError, shorten

if TYPE_CHECKING:
    from distributed import Client, Future

    from napari_clip_heatmap.batch.job_folder import JobImage
    from napari_clip_heatmap.pipeline.remote.scheduler import Tls

__all__ = [
    "ClusterTask",
    "local_cluster",
    "remote_cluster",
    "run_on_cluster",
    "threads_per_worker",
]

_WAITING_PER_THREAD = 3
"""Tasks per thread of all workers that are given out at a time."""


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
def local_cluster(n_workers: int) -> Iterator[Client]:
    """Start workers on this machine, which share its memory and cores, and end them afterwards.

    Examples
    --------
    >>> with local_cluster(2) as client:  # doctest: +SKIP
    ...     outcomes = list(run_on_cluster(task, images, client))
    """
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        client.run(_ignore_interrupts)
        yield client


def _ignore_interrupts() -> None:
    """Leave Ctrl+C, which a terminal sends to all processes, to the one that leads."""
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)


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
    with connect(Scheduler(address, tls, trusted=True)) as client:
        yield client


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

    def __post_init__(self) -> None:
        self._begun: dict[Future, JobImage] = {}
        self._chunks: dict[Future, JobImage] = {}
        self._left: dict[JobImage, int] = {}
        self._problems: dict[JobImage, str] = {}

    @property
    def busy(self) -> bool:
        return bool(self.waiting or self._begun or self._chunks)

    def fill(self) -> None:
        """Begin as many images as keep all workers busy."""
        room = _WAITING_PER_THREAD * max(1, sum(self.client.nthreads().values()))
        while self.waiting and len(self._begun) + len(self._chunks) < room:
            self._submit(_begin, self.waiting.popleft())

    def finished(self) -> list[ImageOutcome]:
        """Wait until something is done, for a second at most, and return images that are."""
        from distributed import wait
        from distributed.client import FuturesCancelledError

        futures = [*self._begun, *self._chunks]
        with suppress(TimeoutError, FuturesCancelledError):
            wait(futures, timeout=1, return_when="FIRST_COMPLETED")
        outcomes = []
        for future in [each for each in futures if each.done()]:
            image, result = self._result(future)
            if isinstance(result, ImageOutcome):
                self.n_done += 1
                outcomes.append(result)
            elif isinstance(result, list):
                self._spread(image, result)
        return outcomes

    def stop(self) -> None:
        """Let workers stop after the tile at hand, and forget what was not begun."""
        left = [*self._begun, *self._chunks]
        if not left:
            return
        with suppress(OSError):
            self.task.stop_file.touch()
        with suppress(OSError, RuntimeError):
            self.client.cancel(left, force=True)

    def _submit(self, function: Callable[..., Any], image: JobImage, *arguments: Any) -> None:
        # Results depend on files, so the same call is another task each time.
        future = self.client.submit(function, self.task, image, *arguments, pure=False)
        (self._chunks if function is _chunk else self._begun)[future] = image

    def _spread(self, image: JobImage, chunks: list[TileChunk]) -> None:
        self._left[image] = len(chunks)
        for chunk in chunks:
            self._submit(_chunk, image, chunk)

    def _result(self, future: Future) -> tuple[JobImage, Any]:
        """Return what a task gave; after the last chunk of an image, it is finished."""
        is_chunk = future in self._chunks
        image = self._chunks.pop(future) if is_chunk else self._begun.pop(future)
        result = self._outcome(future, image)
        if not is_chunk:
            return image, result
        self._left[image] -= 1
        if isinstance(result, ImageOutcome):
            self._problems[image] = result.reason
        if self._left[image] == 0:
            if image in self._problems:
                return image, ImageOutcome(image, WorkState.FAILED, self._problems[image])
            self._submit(_finish, image)
        return image, None

    def _outcome(self, future: Future, image: JobImage) -> Any:
        from distributed import KilledWorker

        if future.status in ("lost", "cancelled"):
            raise DeviceError(
                "the scheduler or its workers were lost; what is done is kept. Start them, and "
                "repeat the command to go on"
            )
        error = future.exception()
        if error is None:
            return future.result()
        if isinstance(error, KilledWorker):
            reason = (
                f"'{shorten(image.entry.label)}': workers died at it again and again, most often "
                "for want of memory; use fewer workers, or a larger --downsample"
            )
            return ImageOutcome(image, WorkState.FAILED, reason)
        raise error


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


def _begin(task: ClusterTask, image: JobImage) -> ImageOutcome | list[TileChunk]:
    """Do an image, or return its chunks if it is large."""
    from napari_clip_heatmap.batch.image_worker import reason_of
    from napari_clip_heatmap.errors import ImageError, SettingsError

    worker = _worker(task)
    try:
        chunks = chunks_left(worker, image)
    except (ImageError, SettingsError, MemoryError) as error:
        return ImageOutcome(image, WorkState.FAILED, reason_of(image, error))
    return chunks or _finish(task, image)


def _chunk(task: ClusterTask, image: JobImage, chunk: TileChunk) -> ImageOutcome | int:
    """Compute some tiles of an image."""
    from napari_clip_heatmap.batch.image_worker import reason_of
    from napari_clip_heatmap.errors import ImageError

    try:
        return compute_chunk(_worker(task), image, chunk)
    except (ImageError, MemoryError) as error:
        return ImageOutcome(image, WorkState.FAILED, reason_of(image, error))


def _finish(task: ClusterTask, image: JobImage) -> ImageOutcome:
    """Do what is left of an image; one that another process works on is waited for."""
    import time

    worker = _worker(task)
    while (outcome := worker.work(image)).state is WorkState.BUSY:
        time.sleep(1)
    return outcome


def threads_per_worker(n_workers: int) -> int:
    """Return how many threads the model of each of several workers gets on this machine.

    Examples
    --------
    >>> threads_per_worker(10**6)
    1
    """
    return max(1, (os.cpu_count() or 1) // n_workers)
