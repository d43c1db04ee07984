"""``clip-heatmap run``: heatmaps of any number of images, in a job that can be cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from napari_clip_heatmap.cli.application import ExitCode
from napari_clip_heatmap.cli.console_output import Printer
from napari_clip_heatmap.cli.option_values import (
    asked_settings,
    parse_channel,
    parse_colors,
    parse_downsample,
    parse_format,
    parse_kinds,
    parse_names,
    parse_part,
    parse_threshold,
    parse_view,
)
from napari_clip_heatmap.cli.options import Device, Json, Model, Precision, Preprocess, Quiet
from napari_clip_heatmap.cli.run_options import (
    Baseline,
    Cache,
    Channel,
    Config,
    Csv,
    Downsample,
    Examples,
    Format,
    Heads,
    ImageSize,
    Inputs,
    Inside,
    IntoSource,
    Layers,
    Mpp,
    NoOverlay,
    Objects,
    Output,
    Overwrite,
    Page,
    Part,
    Prompt,
    PromptSet,
    QualityName,
    Recursive,
    Scheduler,
    ScoreName,
    Series,
    StopOnError,
    Templates,
    Threshold,
    Time,
    TlsCa,
    TlsCert,
    TlsKey,
    ViewMode,
    Workers,
    Write,
    Z,
)
from napari_clip_heatmap.cli.run_plan import RunPlan, stopping
from napari_clip_heatmap.errors import Cancelled, ImageError

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.image_outcome import ImageOutcome
    from napari_clip_heatmap.batch.run_job import ImageJob

__all__ = ["add_run_command", "run_and_report"]

_FEW_IMAGES = 3
"""Images up to which all there is to say is said of each; of more, one line an image."""


def add_run_command(app: typer.Typer) -> None:
    """Add the command to the command line.

    Examples
    --------
    >>> add_run_command(typer.Typer())
    """
    app.command()(run)


def run(
    output: Output,
    inputs: Inputs = None,
    prompt: Prompt = None,
    prompts: PromptSet = None,
    example: Examples = None,
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
    quality: QualityName = "standard",
    image_size: ImageSize = None,
    preprocess: Preprocess = None,
    layers: Layers = None,
    heads: Heads = None,
    inside: Inside = None,
    write: Write = "maps,overlays",
    no_overlay: NoOverlay = False,
    csv: Csv = False,
    into_source: IntoSource = False,
    file_format: Format = "tif",
    threshold: Threshold = "otsu",
    objects: Objects = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    part: Part = None,
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
    kinds = parse_kinds(write, into_source=into_source, csv=csv, no_overlay=no_overlay)
    settings = RunSettings(
        inputs=tuple(dict.fromkeys(inputs)),
        prompts=(),
        output=output,
        recursive=recursive,
        model=model,
        device=device,
        precision=precision,
        score=score,
        baseline=tuple(baseline or ()),
        downsample=parse_downsample(downsample),
        mpp=mpp,
        quality=quality,
        image_size=image_size,
        preprocess=preprocess,
        layers=parse_names(layers),
        heads=parse_names(heads),
        view=parse_view(view),
        choice=PictureChoice(page, series, parse_channel(channel), time, z),
        colors=parse_colors(channel),
        inside=inside,
        write=tuple(dict.fromkeys([*kinds, "table"])) if objects else kinds,
        format=parse_format(file_format),
        threshold=parse_threshold(threshold),
        objects=None if objects is None else str(Path(objects).absolute()),
    )
    plan = RunPlan(
        workers=workers,
        scheduler=scheduler,
        tls=(tls_ca, tls_cert, tls_key),
        part=parse_part(part),
        overwrite=overwrite,
        cached=cache,
    )
    plan.check()
    settings = asked_settings(settings, prompt or [], prompts, templates or [], example or [])
    job = plan_job(settings, overwrite=overwrite)  # before the seconds that a model costs
    try:
        run_and_report(job, plan, Printer(quiet, as_json), stop_on_error=stop_on_error)
    finally:
        job.folder.discard_if_empty()


def run_and_report(
    job: ImageJob, plan: RunPlan, printer: Printer, *, stop_on_error: bool = False
) -> None:
    """Work through the images of a job, say what comes of each, and write the reports.

    Raises
    ------
    typer.Exit
        Some images failed.
    Cancelled
        The user stopped.

    Examples
    --------
    >>> run_and_report(job, RunPlan(), Printer())  # doctest: +SKIP
    """
    from napari_clip_heatmap.batch.image_outcome import WorkState

    failed: list[ImageOutcome] = []
    n_done, is_stopped = 0, False
    with printer.progress("Encoding") as advance, stopping() as stop:
        try:
            for outcome in plan.outcomes(job, printer, advance, stop):
                if outcome.state is WorkState.TILES_LEFT:
                    printer.say(f"{outcome.image.entry.label}: other parts have tiles left")
                elif outcome.state is not WorkState.FAILED:
                    n_done += 1
                    _tell(outcome, job, printer)
                elif len(job.images) == 1:
                    raise ImageError(outcome.reason)
                else:
                    failed.append(outcome)
                    if stop_on_error:
                        break
        except Cancelled:
            is_stopped = True
    _finish(job, plan, printer, failed, n_done)
    if is_stopped:
        raise Cancelled(
            f"stopped; {n_done} of {len(job.images)} images are done, and finished tiles are "
            "kept. Repeat the command to go on"
        )
    if failed:
        raise typer.Exit(ExitCode.SOME_FAILED)


def _finish(
    job: ImageJob, plan: RunPlan, printer: Printer, failed: list[ImageOutcome], n_done: int
) -> None:
    """Write the reports, and say what failed."""
    from napari_clip_heatmap.batch.job_report import SUMMARY_HTML, write_reports

    if n_done or failed:
        printer.data(write_reports(job.folder, job.settings))
        job.folder.sweep_drafts()
        if len(job.images) > _FEW_IMAGES:
            where = job.settings.output / SUMMARY_HTML
            printer.say(f"Similarity, trust and notes of each image, with pictures: {where}")
    if failed:
        n_images = len(job.images)
        n_left = 0 if plan.part else n_images - n_done - len(failed)
        left = f", {n_left} not tried" if n_left else ""
        printer.complain(
            f"clip-heatmap: {len(failed)} of {n_images} images failed ({n_done} done{left}):"
        )
        for each in failed:
            printer.complain(f"  {each.reason}")


def _tell(outcome: ImageOutcome, job: ImageJob, printer: Printer) -> None:
    """Say what was written for an image, how it was looked at, and what to think of it."""
    from napari_clip_heatmap.batch.image_outcome import WorkState
    from napari_clip_heatmap.files.seen_image import describe_seen
    from napari_clip_heatmap.imaging.view import ShownRange

    entry: dict[str, Any] = (outcome.record or {})["entry"]
    source = outcome.image.entry.label
    if outcome.state is WorkState.DONE_BEFORE:
        printer.say(f"{source}: done before")
        return
    n_maps = len(job.settings.prompts)
    what = f"{n_maps} heatmap{'s' if n_maps > 1 else ''}" if n_maps else "encoding"
    planes = f" of {entry['planes']} planes" if entry["planes"] > 1 else ""
    if len(job.images) > _FEW_IMAGES:
        only = [] if planes else entry["results"]  # each plane has figures of its own
        printer.say(f"{source} -> {what}{planes}{_in_short(only)}")
        return
    printer.say(f"{source} -> {what}{planes} in {job.settings.output}")
    seen = entry["encoding"]
    ranges = [ShownRange(**each) for each in seen["ranges"]]
    automatic = job.settings.downsample == "auto" and job.settings.mpp is None
    printer.say(f"  {describe_seen(ranges, seen['downsample'], automatic=automatic)}")
    for note in entry["notes"]:
        if note not in entry["image_notes"]:  # the line above says it
            printer.say(f"  {note}")
    if n_maps:
        if planes:
            printer.say("  Of the first plane; summary.csv has all:")
        printer.say(f"  {_similarities(entry['results'][:n_maps])}")
    for each in entry["results"][:n_maps]:
        worth = each["worth"]
        if worth["trust"] != "good":
            printer.say(f"  '{each['prompt']}': trust {worth['trust']}. {worth['advice']}")


def _in_short(results: Sequence[Mapping[str, Any]]) -> str:
    """Return how similar the image is to each prompt, and which maps are not to be trusted."""
    parts = []
    for each in results:
        trust = each["worth"]["trust"]
        doubt = "" if trust == "good" else f" ({trust})"
        parts.append(f"'{each['prompt']}' {each['similarity']:.3f}{doubt}")
    return f": {', '.join(parts)}" if parts else ""


def _similarities(results: Sequence[Mapping[str, Any]]) -> str:
    """Return how similar the image is to each prompt, and how much of that no patch owns."""
    parts = []
    for each in results:
        unowned = each["worth"].get("unowned")
        of_it = "" if unowned is None else f" ({unowned:.3f})"
        parts.append(f"'{each['prompt']}' {each['similarity']:.3f}{of_it}")
    return f"Similarity (in brackets, the part that belongs to no patch): {', '.join(parts)}"
