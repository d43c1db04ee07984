"""Who does the work of a command: this process, workers here, a cluster, or one part of it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.image_outcome import ImageOutcome
    from napari_clip_heatmap.batch.image_worker import ImageWorker
    from napari_clip_heatmap.batch.run_job import ImageJob
    from napari_clip_heatmap.cli.console_output import Printer

__all__ = ["RunPlan", "Stop", "stopping"]


@dataclass(frozen=True)
class RunPlan:
    """Who does the work.

    Parameters
    ----------
    workers : int
        Processes on this machine.
    scheduler : str, optional
        Address of a Dask scheduler.
    tls : (str, str, str)
        Certificate authority, certificate and key for it; or None each.
    part : (int, int), optional
        Which part of how many, from 0.
    overwrite : bool
    cached : bool
        Whether encodings are kept on disk and used.
    encoded : bool
        Whether the job is over encodings instead of images.

    Examples
    --------
    >>> RunPlan(workers=4).check()
    """

    workers: int = 1
    scheduler: str | None = None
    tls: tuple[str | None, str | None, str | None] = (None, None, None)
    part: tuple[int, int] | None = None
    overwrite: bool = False
    cached: bool = True
    encoded: bool = False

    def check(self) -> None:
        """Raise unless the options go together.

        Raises
        ------
        typer.BadParameter
        """
        asked = {
            "--workers": self.workers > 1,
            "--scheduler": self.scheduler is not None,
            "--part": self.part is not None,
        }
        given = [name for name, is_asked in asked.items() if is_asked]
        if len(given) > 1:
            raise typer.BadParameter(f"{' and '.join(given)} exclude each other; give one of them")
        if any(self.tls) and not (all(self.tls) and self.scheduler):
            raise typer.BadParameter(
                "--tls-ca, --tls-cert and --tls-key belong together, and to --scheduler"
            )

    def outcomes(
        self,
        job: ImageJob,
        printer: Printer,
        progress: Callable[[int, int], None],
        stop: Stop,
    ) -> Iterator[ImageOutcome]:
        """Do the work, and yield each image when it is done.

        Raises
        ------
        Cancelled
            The user asked to stop.
        """
        if self.workers > 1 or self.scheduler:
            yield from self._on_cluster(job, progress, stop)
            return
        worker = self.worker(job, progress, stop.is_asked)
        stop.begin()
        if self.part:
            from napari_clip_heatmap.batch.spread_tiles import run_part

            yield from run_part(worker, job.images, *self.part)
            return
        from napari_clip_heatmap.batch.run_job import run_images

        def waiting(image: Any) -> None:
            printer.say(f"{image.entry.label}: waiting for another process")

        yield from run_images(worker, job.images, waiting)

    def worker(
        self,
        job: ImageJob,
        progress: Callable[[int, int], None] = lambda done, total: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> ImageWorker:
        """Load the model, and return what works in this process."""
        from napari_clip_heatmap.batch.image_worker import ImageWorker
        from napari_clip_heatmap.batch.run_job import load_job_model
        from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

        if self.encoded:
            return self._prompt_worker(job, cancelled, progress)
        return ImageWorker(
            load_job_model(job.settings),
            job.settings,
            job.folder,
            EncodingCache() if self.cached else None,
            self.overwrite,
            cancelled,
            progress,
        )

    def _prompt_worker(
        self, job: ImageJob, cancelled: Callable[[], bool], progress: Callable[[int, int], None]
    ) -> ImageWorker:
        from napari_clip_heatmap.api import open_encoding
        from napari_clip_heatmap.batch.encoded_images import EncodedModel, PromptWorker

        first = open_encoding(job.images[0].entry.source)
        model: Any = EncodedModel(first, job.settings.model or None)
        return PromptWorker(
            model, job.settings, job.folder, None, self.overwrite, cancelled, progress
        )

    def _on_cluster(
        self, job: ImageJob, progress: Callable[[int, int], None], stop: Stop
    ) -> Iterator[ImageOutcome]:
        from napari_clip_heatmap.batch.cluster_run import (
            ClusterTask,
            remote_cluster,
            run_on_cluster,
            threads_per_worker,
        )
        from napari_clip_heatmap.pipeline.remote.local_cluster import local_cluster
        from napari_clip_heatmap.pipeline.remote.scheduler import Tls

        here = self.scheduler is None
        task = ClusterTask.of(
            job.settings,
            overwrite=self.overwrite,
            cached=self.cached,
            threads=threads_per_worker(self.workers) if here else None,
        )
        ca, cert, key = self.tls
        tls = Tls(ca, cert, key) if ca and cert and key else None
        cluster = (
            remote_cluster(self.scheduler, tls) if self.scheduler else local_cluster(self.workers)
        )
        with cluster as client:
            stop.begin()
            yield from run_on_cluster(task, job.images, client, stop.is_asked, progress)


class Stop:
    """Whether the user pressed Ctrl+C, from the moment on that there is work to be kept.

    Examples
    --------
    >>> Stop().is_asked()
    False
    """

    def __init__(self) -> None:
        self._has_begun = self._is_asked = False

    def begin(self) -> None:
        """From now on Ctrl+C lets the tiles at work be finished; before it ends at once."""
        self._has_begun = True

    def is_asked(self) -> bool:
        """Return whether to stop."""
        return self._is_asked

    def ask(self) -> None:
        """Stop; a second time at once.

        Raises
        ------
        KeyboardInterrupt
            Nothing has begun, or this was asked before.
        """
        if self._is_asked or not self._has_begun:
            raise KeyboardInterrupt
        self._is_asked = True


@contextmanager
def stopping() -> Iterator[Stop]:
    """Give what Ctrl+C sets, instead of ending the program.

    Examples
    --------
    >>> with stopping() as stop:
    ...     stop.is_asked()
    False
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: stop.ask())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
