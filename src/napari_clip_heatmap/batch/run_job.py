"""A job from its settings to its results: which images, one after another, and the reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_clip_heatmap.batch.image_outcome import ImageOutcome, WorkState
from napari_clip_heatmap.batch.image_worker import ImageWorker
from napari_clip_heatmap.batch.inputs.image_list import find_sources, list_images
from napari_clip_heatmap.batch.inputs.inside import check_inside
from napari_clip_heatmap.batch.job_folder import JOB_FILE, JobFolder, JobImage
from napari_clip_heatmap.batch.whole_output import disk_errors, write_json
from napari_clip_heatmap.errors import ImageError, SettingsError

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.run_settings import RunSettings
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["ImageJob", "load_job_model", "plan_job", "run_images"]

_ASK_AGAIN = 1.0
"""Seconds between looks at images that another process works on."""


@dataclass(frozen=True)
class ImageJob:
    """Settings, the folder, and the images.

    Parameters
    ----------
    settings : RunSettings
    folder : JobFolder
    images : tuple of JobImage

    Examples
    --------
    >>> job = plan_job(settings)  # doctest: +SKIP
    >>> [image.name for image in job.images]  # doctest: +SKIP
    ['cells', 'cells-2']
    """

    settings: RunSettings
    folder: JobFolder
    images: tuple[JobImage, ...]


def plan_job(settings: RunSettings, *, overwrite: bool = False) -> ImageJob:
    """Find the images of a job, and check that its folder can take their results.

    Nothing heavy is loaded for it, so that a mistake costs no time.

    Raises
    ------
    ImageError
        There is no image at all.
    OutputError
        The folder cannot be made, or holds results that were made with other settings.
    SettingsError
        A file that the settings name is not there.

    Examples
    --------
    >>> plan_job(RunSettings(("cells.tif",), ("nuclei",), Path("results")))  # doctest: +SKIP
    """
    check_inside(settings.inside)
    if settings.objects is not None and not Path(settings.objects).exists():
        raise SettingsError(f"--objects names '{settings.objects:.200}', which is not there")
    sources = find_sources(settings.inputs, recursive=settings.recursive)
    if not any(path.exists() for path in sources):
        first = f" '{sources[0]!s:.200}'" if sources else ""
        raise ImageError(f"there is no image file{first}; give the path of one")
    entries = [entry for path in sources for entry in list_images(path, settings.choice)]
    folder = JobFolder(settings.output)
    if not overwrite:
        folder.require_same_settings(settings)
    images = folder.name_images(entries)
    folder.make()
    with disk_errors(folder.folder):
        inputs = dict.fromkeys([*folder.inputs(settings), *_absolute(settings)])
        write_json(folder.folder / JOB_FILE, settings.record() | {"inputs": list(inputs)})
    return ImageJob(settings, folder, tuple(images))


def _absolute(settings: RunSettings) -> list[str]:
    return [str(Path(each).absolute()) for each in settings.inputs]


def load_job_model(settings: RunSettings) -> ClipModel:
    """Load the model of a job, or the layers and heads of it that the settings name.

    Raises
    ------
    ModelLoadError, DeviceError, SettingsError, DecompositionError
        As `load_model` raises them; or there are no such layers or heads.

    Examples
    --------
    >>> load_job_model(settings).name  # doctest: +SKIP
    'demo'
    """
    from napari_clip_heatmap.api import load_model

    model = load_model(
        settings.model,
        device=settings.device,
        precision=settings.precision,
        preprocess=settings.preprocess,
        image_size=settings.image_size,
    )
    if not (settings.layers or settings.heads):
        return model
    from napari_clip_heatmap.clip.partial_model import PartialModel

    return PartialModel(model, *(_parts(each) for each in (settings.layers, settings.heads)))


def _parts(names: tuple[str, ...]) -> list[int | str] | None:
    """Return numbers and labels of layers or heads; None for all."""
    return [int(name) if name.lstrip("-").isdecimal() else name for name in names] or None


def run_images(
    worker: ImageWorker,
    images: Sequence[JobImage],
    waiting: Callable[[JobImage], None] = lambda image: None,
) -> Iterator[ImageOutcome]:
    """Do images one after another; those that another process works on are waited for at the end.

    Parameters
    ----------
    worker : ImageWorker
    images : sequence of JobImage
    waiting : callable(image)
        Called when nothing is left to do but to wait for an image.

    Yields
    ------
    ImageOutcome
        Of each image, once.

    Examples
    --------
    >>> for outcome in run_images(worker, job.images):  # doctest: +SKIP
    ...     print(outcome.image.name, outcome.state.value)
    """
    busy = []
    for outcome in worker.work_together(images):
        if outcome.state is WorkState.BUSY:
            busy.append(outcome.image)
        else:
            yield outcome
    for image in busy:
        waiting(image)
        while (outcome := worker.work(image)).state is WorkState.BUSY:
            time.sleep(_ASK_AGAIN)
        yield outcome
