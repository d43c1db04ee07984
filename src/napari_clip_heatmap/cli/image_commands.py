"""Commands over images: ``run`` and ``demo``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_clip_heatmap.cli.application import ExitCode
from napari_clip_heatmap.cli.completion import complete_sets, complete_templates, complete_views
from napari_clip_heatmap.cli.console_output import Printer
from napari_clip_heatmap.cli.option_values import (
    parse_channel,
    parse_downsample,
    parse_view,
    prompts_and_templates,
)
from napari_clip_heatmap.cli.options import Device, Json, Model, Precision, Preprocess, Quiet
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.pipeline.score_registry import SCORES, Score

if TYPE_CHECKING:
    from napari_clip_heatmap.files.run_request import RunRequest
    from napari_clip_heatmap.files.run_results import FailedImage, ImageResult
    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

__all__ = ["add_image_commands"]


def add_image_commands(app: typer.Typer) -> None:
    """Add the commands to the command line.

    Examples
    --------
    >>> add_image_commands(typer.Typer())
    """
    app.command()(run)
    app.command()(demo)


def run(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")],
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            "--prompt",
            "-p",
            help="What to look for; may be repeated. 'nuclei | cell nuclei' are names of one "
            "thing, 'nuclei - background' is contrasted.",
        ),
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete_sets,
            help="A set of prompts: a YAML, CSV or TXT file, or one that is shipped.",
        ),
    ] = None,
    model: Model = "demo",
    device: Device = "auto",
    precision: Precision = "auto",
    score: Annotated[
        Score,
        typer.Option(help="; ".join(f"{name}: {each.help}" for name, each in SCORES.items())),
    ] = "relative",
    baseline: Annotated[
        list[str] | None, typer.Option(help="A prompt to contrast with; may be repeated.")
    ] = None,
    templates: Annotated[
        list[str] | None,
        typer.Option(
            autocompletion=complete_templates,
            help="Sentences around the words: the name of a set (plain, photo, fluorescence, "
            "brightfield, histology, electron microscopy), or your own with {}; may be repeated.",
        ),
    ] = None,
    view: Annotated[
        str | None,
        typer.Option(
            metavar="percentile|min-max|raw|LOW,HIGH",
            autocompletion=complete_views,
            help="Which values become black and white; by default 8 bits as they are, other types "
            "by their range without hot pixels and no-data values.",
        ),
    ] = None,
    page: Annotated[
        int | None,
        typer.Option(min=0, help="Page, frame or plane of files that hold several; from 0."),
    ] = None,
    series: Annotated[
        int | None, typer.Option(min=0, help="Series of a TIFF, such as a position; from 0.")
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option(help="A channel, from 0, or three as red, green and blue: 2,0,1."),
    ] = None,
    time: Annotated[int | None, typer.Option(min=0, help="Time point, from 0.")] = None,
    z: Annotated[int | None, typer.Option("--z", min=0, help="Focal plane, from 0.")] = None,
    downsample: Annotated[
        str, typer.Option(help="Image pixels per pixel the model sees, at least 1, or auto.")
    ] = "auto",
    image_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Side in pixels of what the model looks at in one pass, in whole patches: larger "
            "gives it more context, by interpolated positions. By default as it was trained.",
        ),
    ] = None,
    preprocess: Preprocess = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace another run's results in the folder.")
    ] = False,
    cache: Annotated[bool, typer.Option(help="Keep encodings on disk, and use them.")] = True,
    stop_on_error: Annotated[
        bool, typer.Option("--stop-on-error", help="Stop at the first image that fails.")
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write heatmaps (float32 TIFF), overlays (PNG) and run.json for each image and prompt.

    Reads TIFF of any kind (plain, BigTIFF, OME, ImageJ, STK, LSM, slides), NPY,
    and what Pillow reads (PNG, JPEG, WebP, GIF, BMP, JPEG 2000, AVIF, PSD ...),
    in their own colors, depth and orientation. Of a file that holds several
    pictures, choose one with --page, --series, --channel, --time or --z.

    Images that fail are listed at the end, with exit code 1; the others are done.
    """
    from napari_clip_heatmap.files.reading.picture_choice import PictureChoice
    from napari_clip_heatmap.files.run_request import RunRequest, claim_folder

    words, sentences = prompts_and_templates(prompt or [], prompts, templates or [])
    request = RunRequest(
        images=tuple(dict.fromkeys(images)),
        prompts=words,
        output=output,
        model=model,
        device=device,
        precision=precision,
        score=score,
        baseline=tuple(baseline or ()),
        templates=sentences,
        downsample=parse_downsample(downsample),
        image_size=image_size,
        preprocess=preprocess,
        view=parse_view(view),
        choice=PictureChoice(page, series, parse_channel(channel), time, z),
    )
    if not any(path.is_file() for path in request.images):
        raise typer.BadParameter(f"there is no image file '{request.images[0]}'")
    claim_folder(request, overwrite=overwrite)  # before the seconds that a model costs
    _run(request, Printer(quiet, as_json), _cache() if cache else None, stop=stop_on_error)


def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Write pictures only.")] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the pictures.")] = Path(
        "clip-heatmap-demo"
    ),
    quiet: Quiet = False,
) -> None:
    """Open napari with a sample and its heatmaps; without a display, write them as pictures."""
    printer = Printer(quiet)
    if not headless:
        from napari_clip_heatmap.cli import open_viewer

        obstacle = open_viewer()
        if obstacle is None:
            return
        printer.say(f"napari cannot open a window here ({obstacle}); writing pictures instead.")
    from napari_clip_heatmap.files.demo_pictures import prepare_demo, write_demo
    from napari_clip_heatmap.files.run_results import FailedImage

    for done in _results(prepare_demo(output), printer):
        if isinstance(done, FailedImage):
            raise ImageError(done.reason)
        printer.say(f"Pictures written to {output.resolve()}; begin with {write_demo(done)}")


def _run(request: RunRequest, printer: Printer, cache: EncodingCache | None, *, stop: bool) -> None:
    """Work through the images, and leave with an exit code if some failed."""
    from napari_clip_heatmap.files.run_record import read_record
    from napari_clip_heatmap.files.run_results import FailedImage

    failed: list[FailedImage] = []
    n_done = 0
    for done in _results(request, printer, cache):
        if not isinstance(done, FailedImage):
            n_done += 1
            _tell(done, request, printer)
        elif len(request.images) == 1:
            raise ImageError(done.reason)
        else:
            failed.append(done)
            if stop:
                break
    printer.data(read_record(request.output))
    if failed:
        n_images = len(request.images)
        n_left = n_images - n_done - len(failed)
        left = f", {n_left} not tried" if n_left else ""
        printer.complain(
            f"clip-heatmap: {len(failed)} of {n_images} images failed ({n_done} done{left}):"
        )
        for each in failed:
            printer.complain(f"  {each.reason}")
        raise typer.Exit(ExitCode.SOME_FAILED)


def _results(
    request: RunRequest, printer: Printer, cache: EncodingCache | None = None
) -> Iterator[ImageResult | FailedImage]:
    """Load the model and work through the images under a progress bar."""
    from napari_clip_heatmap.api import load_model
    from napari_clip_heatmap.files.run_results import write_heatmaps

    with printer.progress("Encoding") as advance:
        loaded = load_model(
            request.model,
            device=request.device,
            precision=request.precision,
            preprocess=request.preprocess,
            image_size=request.image_size,
        )
        yield from write_heatmaps(loaded, request, advance, cache)


def _tell(done: ImageResult, request: RunRequest, printer: Printer) -> None:
    """Say what was written for an image, how it was looked at, and what to think of it."""
    from napari_clip_heatmap.files.seen_image import describe_seen

    n_maps = len(done.names)
    plural = "s" if n_maps > 1 else ""
    printer.say(f"{done.source} -> {n_maps} heatmap{plural} in {request.output}")
    automatic = request.downsample == "auto"
    printer.say(f"  {describe_seen(done.ranges, done.downsample, automatic=automatic)}")
    for note in done.heatmaps.notes:
        if note not in done.image_notes:  # the line above says it
            printer.say(f"  {note}")
    for check in done.assessment.checks:
        if check.trust != "good":
            printer.say(f"  '{check.prompt}': trust {check.trust}. {check.advice}")


def _cache() -> EncodingCache:
    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

    return EncodingCache()
