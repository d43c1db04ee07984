"""``clip-heatmap run``: heatmaps of any number of images, in a job that goes on where it was cut."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from napari_clip_heatmap.cli.application import ExitCode
from napari_clip_heatmap.cli.console_output import Printer
from napari_clip_heatmap.cli.option_values import (
    parse_channel,
    parse_downsample,
    parse_names,
    parse_threshold,
    parse_view,
    prompts_and_templates,
)
from napari_clip_heatmap.cli.options import Device, Json, Model, Precision, Preprocess, Quiet
from napari_clip_heatmap.cli.run_options import (
    Baseline,
    Cache,
    Channel,
    Config,
    Downsample,
    Format,
    Heads,
    ImageSize,
    Inputs,
    Inside,
    Layers,
    Mpp,
    Objects,
    Output,
    Overwrite,
    Page,
    Prompt,
    PromptSet,
    Recursive,
    ScoreName,
    Series,
    StopOnError,
    Templates,
    Threshold,
    Time,
    ViewMode,
    Write,
    Z,
)
from napari_clip_heatmap.errors import Cancelled, ImageError

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.image_worker import ImageOutcome
    from napari_clip_heatmap.batch.run_job import Job
    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

__all__ = ["add_run_command"]


def add_run_command(app: typer.Typer) -> None:
    """Add the command to the command line.

    Examples
    --------
    >>> add_run_command(typer.Typer())
    """
    app.command()(run)


def run(
    inputs: Inputs = None,
    output: Output = None,
    prompt: Prompt = None,
    prompts: PromptSet = None,
    config: Config = None,
    recursive: Recursive = False,
    model: Model = "demo",
    device: Device = "auto",
    precision: Precision = "auto",
    score: ScoreName = "relative",
    baseline: Baseline = None,
    templates: Templates = None,
    view: ViewMode = None,
    page: Page = None,
    series: Series = None,
    channel: Channel = None,
    time: Time = None,
    z: Z = None,
    downsample: Downsample = "auto",
    mpp: Mpp = None,
    image_size: ImageSize = None,
    preprocess: Preprocess = None,
    layers: Layers = None,
    heads: Heads = None,
    inside: Inside = None,
    write: Write = "maps,overlays",
    file_format: Format = "tif",
    threshold: Threshold = "otsu",
    objects: Objects = None,
    overwrite: Overwrite = False,
    cache: Cache = True,
    stop_on_error: StopOnError = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write heatmaps, overlays and more of each image, and reports on all of them.

    Reads TIFF of any kind (plain, BigTIFF, OME, ImageJ, STK, LSM, slides), NPY,
    OME-Zarr, and what Pillow reads (PNG, JPEG, WebP, GIF, BMP, JPEG 2000, AVIF,
    PSD ...), in their own colors, depth and orientation. Of stacks all planes are
    done; choose with --page, --series, --channel, --time or --z.

    The folder --output is a job: repeat the command to go on where it was stopped,
    or with more images. summary.html shows all images, summary.csv has a row for
    each image and prompt, run.json and run.yaml say how it was made.

    Images that fail are listed at the end, with exit code 1; the others are done.
    """
    from napari_clip_heatmap.batch.run_job import plan_job
    from napari_clip_heatmap.batch.run_settings import RunSettings
    from napari_clip_heatmap.files.reading.picture_choice import PictureChoice

    if not inputs:
        raise typer.BadParameter("there is no image; give INPUT: files, folders or globs")
    if output is None:
        raise typer.BadParameter("there is no folder for the results; give --output FOLDER")
    words, sentences = prompts_and_templates(prompt or [], prompts, templates or [])
    kinds = parse_names(write)
    settings = RunSettings(
        inputs=tuple(dict.fromkeys(inputs)),
        prompts=words,
        output=output,
        recursive=recursive,
        model=model,
        device=device,
        precision=precision,
        score=score,
        baseline=tuple(baseline or ()),
        templates=sentences,
        downsample=parse_downsample(downsample),
        mpp=mpp,
        image_size=image_size,
        preprocess=preprocess,
        layers=parse_names(layers),
        heads=parse_names(heads),
        view=parse_view(view),
        choice=PictureChoice(page, series, parse_channel(channel), time, z),
        inside=inside,
        write=tuple(dict.fromkeys([*kinds, "table"])) if objects else kinds,
        format=_format(file_format),
        threshold=parse_threshold(threshold),
        objects=None if objects is None else str(Path(objects).absolute()),
    )
    printer = Printer(quiet, as_json)
    job = plan_job(settings, overwrite=overwrite)  # before the seconds that a model costs
    try:
        _run(job, printer, _cache() if cache else None, overwrite=overwrite, stop=stop_on_error)
    finally:
        job.folder.discard_if_empty()


def _run(
    job: Job, printer: Printer, cache: EncodingCache | None, *, overwrite: bool, stop: bool
) -> None:
    """Work through the images, and leave with an exit code if some failed."""
    from napari_clip_heatmap.batch.image_worker import ImageWorker, WorkState
    from napari_clip_heatmap.batch.run_job import load_job_model, run_images

    failed: list[ImageOutcome] = []
    n_done = 0
    with printer.progress("Encoding") as advance, _stopping() as stopped:
        model = load_job_model(job.settings)
        worker = ImageWorker(
            model, job.settings, job.folder, cache, overwrite, stopped.is_set, advance
        )
        try:
            for outcome in run_images(worker, job.images, _tell_waiting(printer)):
                if outcome.state is not WorkState.FAILED:
                    n_done += 1
                    _tell(outcome, job, printer)
                elif len(job.images) == 1:
                    raise ImageError(outcome.reason)
                else:
                    failed.append(outcome)
                    if stop:
                        break
        except Cancelled:
            _finish(job, printer, failed, n_done)
            printer.complain(
                f"clip-heatmap: stopped; {n_done} of {len(job.images)} images are done, and "
                "finished tiles are kept. Repeat the command to go on"
            )
            raise typer.Exit(ExitCode.INTERRUPTED) from None
    _finish(job, printer, failed, n_done)
    if failed:
        raise typer.Exit(ExitCode.SOME_FAILED)


def _finish(job: Job, printer: Printer, failed: list[ImageOutcome], n_done: int) -> None:
    """Write the reports, and say what failed."""
    from napari_clip_heatmap.batch.job_report import write_reports

    if n_done or failed:
        printer.data(write_reports(job.folder, job.settings))
        job.folder.sweep_drafts()
    if failed:
        n_images = len(job.images)
        n_left = n_images - n_done - len(failed)
        left = f", {n_left} not tried" if n_left else ""
        printer.complain(
            f"clip-heatmap: {len(failed)} of {n_images} images failed ({n_done} done{left}):"
        )
        for each in failed:
            printer.complain(f"  {each.reason}")


def _tell(outcome: ImageOutcome, job: Job, printer: Printer) -> None:
    """Say what was written for an image, how it was looked at, and what to think of it."""
    from napari_clip_heatmap.batch.image_worker import WorkState
    from napari_clip_heatmap.files.seen_image import describe_seen
    from napari_clip_heatmap.imaging.view import ShownRange

    entry: dict[str, Any] = (outcome.record or {})["entry"]
    source = outcome.image.entry.label
    if outcome.state is WorkState.DONE_BEFORE:
        printer.say(f"{source}: done before")
        return
    n_maps = len(job.settings.prompts)
    plural = "s" if n_maps > 1 else ""
    planes = f" of {entry['planes']} planes" if entry["planes"] > 1 else ""
    printer.say(f"{source} -> {n_maps} heatmap{plural}{planes} in {job.settings.output}")
    seen = entry["encoding"]
    ranges = [ShownRange(**each) for each in seen["ranges"]]
    automatic = job.settings.downsample == "auto" and job.settings.mpp is None
    printer.say(f"  {describe_seen(ranges, seen['downsample'], automatic=automatic)}")
    for note in entry["notes"]:
        if note not in entry["image_notes"]:  # the line above says it
            printer.say(f"  {note}")
    for each in entry["results"][:n_maps]:
        if each["worth"]["verdict"] != "clear":
            printer.say(
                f"  '{each['prompt']}': {each['worth']['verdict']}. {each['worth']['advice']}"
            )


def _tell_waiting(printer: Printer) -> Any:
    return lambda image: printer.say(f"{image.entry.label}: waiting for another process")


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Give an event that Ctrl+C sets: the tile at work is finished and kept, then work stops.

    A second Ctrl+C stops at once.
    """
    stopped = threading.Event()

    def stop(number: int, frame: object) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


def _format(text: str) -> Literal["tif", "ome-zarr"]:
    if text == "tif" or text == "ome-zarr":
        return text
    raise typer.BadParameter(f"--format is tif or ome-zarr; got '{text[:60]}'")


def _cache() -> EncodingCache:
    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

    return EncodingCache()
