"""A job that was done in parts: what is there, what can be finished, and what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap.batch.image_outcome import WorkState
from napari_clip_heatmap.batch.image_worker import ImageWorker
from napari_clip_heatmap.batch.job_folder import JOB_FILE
from napari_clip_heatmap.batch.job_report import write_reports
from napari_clip_heatmap.batch.run_job import load_job_model, plan_job
from napari_clip_heatmap.batch.run_settings import RunSettings
from napari_clip_heatmap.errors import ImageError, OutputError, SettingsError, shorten

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.job_folder import JobImage

__all__ = ["GatheredJob", "gather_job", "settings_of_job"]


@dataclass(frozen=True)
class GatheredJob:
    """What there is of a job.

    Parameters
    ----------
    n_done : int
    failed : tuple of str
        Why each of the others failed.
    left : tuple of str
        Sources of images that no part has finished.
    record : dict
        Of ``run.json``.

    Examples
    --------
    >>> gather_job(Path("results")).left  # doctest: +SKIP
    ()
    """

    n_done: int
    failed: tuple[str, ...]
    left: tuple[str, ...]
    record: dict[str, Any]


def settings_of_job(folder: Path) -> RunSettings:
    """Return the settings of a job.

    Raises
    ------
    OutputError
        The folder is no job.

    Examples
    --------
    >>> settings_of_job(Path("results")).prompts  # doctest: +SKIP
    ('nuclei', 'background')
    """
    path = folder / JOB_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(
            f"'{shorten(folder)}' is no job ({shorten(error)}); give the --output folder of "
            "`clip-heatmap run`"
        ) from error
    return RunSettings.from_record({**record, "output": str(folder)})


def gather_job(
    folder: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> GatheredJob:
    """Finish images whose tiles were all computed, and write the reports of a job.

    Raises
    ------
    OutputError
        The folder is no job, or the disk refuses.
    ImageError
        No image of the job is there.

    Examples
    --------
    >>> gather_job(Path("results")).n_done  # doctest: +SKIP
    1000
    """
    job = plan_job(settings_of_job(folder))
    n_done, failed, left = 0, [], []
    worker: ImageWorker | None = None
    for number, image in enumerate(job.images):
        record = job.folder.record(image.name)
        if job.folder.is_done(record, job.settings):
            n_done += 1
        elif record is not None and record["state"] == "failed":
            failed.append(str(record["reason"]))
        elif _is_spread(job.folder.state, image):
            worker = worker or ImageWorker(load_job_model(job.settings), job.settings, job.folder)
            reason = _finish(worker, image)
            n_done += reason == ""
            if reason is None:
                left.append(image.entry.label)
            elif reason:
                failed.append(reason)
        else:
            left.append(image.entry.label)
        progress(number + 1, len(job.images))
    record = write_reports(job.folder, job.settings)
    return GatheredJob(n_done, tuple(failed), tuple(left), record)


def _is_spread(state: Path, image: JobImage) -> bool:
    """Return whether tiles of an image are kept."""
    return any((state / "tiles").glob(f"{image.name}-*/*.tiles"))


def _finish(worker: ImageWorker, image: JobImage) -> str | None:
    """Finish an image; return "" if it is done, why it failed, or None if tiles are missing."""
    try:
        if any(not worker.has_all_tiles(image, index) for index in worker.planes(image)):
            return None
    except (ImageError, SettingsError, MemoryError) as error:
        return str(error)
    outcome = worker.work(image)
    if outcome.state is WorkState.BUSY:
        return None
    return outcome.reason
