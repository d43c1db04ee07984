"""The demo's pictures: the sample scene, what each prompt finds in it, and all on one sheet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_clip_heatmap.batch.image_outcome import WorkState
from napari_clip_heatmap.batch.image_worker import ImageWorker
from napari_clip_heatmap.batch.job_folder import STATE
from napari_clip_heatmap.batch.job_report import write_reports
from napari_clip_heatmap.batch.run_job import load_job_model, plan_job
from napari_clip_heatmap.batch.run_settings import RunSettings
from napari_clip_heatmap.errors import ImageError, OutputError
from napari_clip_heatmap.files.output_folder import make_folder
from napari_clip_heatmap.files.overlays import contact_sheet, write_picture
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.imaging import colors

__all__ = ["write_demo"]

_SAMPLE = "sample.png"
_SHEET = "contact_sheet.png"


def write_demo(
    folder: Path,
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Draw the sample, make its heatmaps, and write them in colors and on a sheet.

    Parameters
    ----------
    folder : Path
        Where everything goes; an earlier demo in it is replaced, anything else is not.
    overwrite : bool
        Replace that, too.
    progress : callable(done_tiles, all_tiles)

    Returns
    -------
    Path
        The sheet.

    Raises
    ------
    OutputError
        The folder cannot be made or holds something else.

    Examples
    --------
    >>> write_demo(Path("demo")).name  # doctest: +SKIP
    'contact_sheet.png'
    """
    from napari_clip_heatmap.scenes import SAMPLE_PROMPTS, sample_scene

    make_folder(folder)
    taken = [name for name in (_SAMPLE, _SHEET) if (folder / name).exists()]
    if taken and not (folder / STATE).is_dir() and not overwrite:
        raise OutputError(
            f"'{folder}' holds '{taken[0]}', which the demo has not written; choose another "
            "--output, or add --overwrite"
        )
    sample = folder / _SAMPLE
    scene = sample_scene()
    write_picture(sample, scene)
    settings = RunSettings((str(sample),), tuple(SAMPLE_PROMPTS), folder)
    job = plan_job(settings, overwrite=overwrite)
    worker = ImageWorker(
        load_job_model(settings), settings, job.folder, overwrite=overwrite, progress=progress
    )
    outcome = worker.work(job.images[0])
    if outcome.record is None or outcome.state is WorkState.FAILED:
        raise ImageError(outcome.reason)
    write_reports(job.folder, settings)
    return _write_pictures(folder, scene, outcome.record["entry"]["results"])


def _write_pictures(folder: Path, scene: np.ndarray, results: list[dict[str, str]]) -> Path:
    """Write each heatmap in colors, and a sheet of the sample, the heatmaps and the overlays."""
    values = np.stack([read_image(folder / each["heatmap"]) for each in results])
    heatmaps = list(colors.jet(colors.min_max(values)))
    for each, picture in zip(results, heatmaps, strict=True):
        write_picture((folder / each["heatmap"]).with_suffix(".png"), picture)
    overlays = [read_image(folder / each["overlay"]) for each in results]
    prompts = [each["prompt"] for each in results]
    sheet = contact_sheet(
        [scene, *heatmaps, scene, *overlays],
        ["sample", *prompts, "sample", *(f"{prompt} (overlay)" for prompt in prompts)],
        columns=1 + len(prompts),
    )
    path = folder / _SHEET
    write_picture(path, sheet)
    return path
