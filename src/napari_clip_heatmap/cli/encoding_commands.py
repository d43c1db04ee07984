"""Commands over encodings: ``encode``, ``prompt`` and ``search``."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_clip_heatmap.cli.console_output import Printer
from napari_clip_heatmap.cli.option_values import (
    asked_settings,
    parse_channel,
    parse_colors,
    parse_downsample,
    parse_format,
    parse_names,
    parse_part,
    parse_threshold,
    parse_view,
)
from napari_clip_heatmap.cli.options import Device, Json, Model, Precision, Preprocess, Quiet
from napari_clip_heatmap.cli.run_command import run_and_report
from napari_clip_heatmap.cli.run_options import (
    Baseline,
    Channel,
    Config,
    Downsample,
    Examples,
    Format,
    ImageSize,
    Inputs,
    Inside,
    Mpp,
    Output,
    Overwrite,
    Part,
    Prompt,
    PromptSet,
    QualityName,
    Recursive,
    Scheduler,
    ScoreName,
    Series,
    Templates,
    Threshold,
    Time,
    TlsCa,
    TlsCert,
    TlsKey,
    ViewMode,
    Workers,
    Z,
)
from napari_clip_heatmap.cli.run_plan import RunPlan

__all__ = ["add_encoding_commands"]

Place = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="Where the model lies on this machine, if not under the name that is recorded.",
    ),
]
Encodings = Annotated[
    list[str],
    typer.Argument(metavar="ENCODINGS...", help="Files of `encode`, or folders of them."),
]


def add_encoding_commands(app: typer.Typer) -> None:
    """Add the commands to the command line.

    Examples
    --------
    >>> add_encoding_commands(typer.Typer())
    """
    app.command("encode")(encode_images)
    app.command()(prompt)
    app.command()(search)


def encode_images(
    output: Output,
    inputs: Inputs = None,
    config: Config = None,
    recursive: Recursive = False,
    model: Model = "demo",
    device: Device = "auto",
    precision: Precision = "auto",
    view: ViewMode = None,
    series: Series = None,
    channel: Channel = None,
    time: Time = None,
    z: Z = None,
    downsample: Downsample = "auto",
    mpp: Mpp = None,
    quality: QualityName = "standard",
    image_size: ImageSize = None,
    preprocess: Preprocess = None,
    inside: Inside = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    part: Part = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Encode images, and ask prompts later: with `prompt`, on a machine without images or GPU.

    Repeat the command to go on where it was stopped, or with more images.
    """
    from napari_clip_heatmap.batch.run_job import plan_job
    from napari_clip_heatmap.batch.run_settings import RunSettings
    from napari_clip_heatmap.files.reading.picture_choice import PictureChoice

    if not inputs:
        raise typer.BadParameter("there is no image; give INPUT: files, folders or globs")
    settings = RunSettings(
        inputs=tuple(dict.fromkeys(inputs)),
        prompts=(),
        output=output,
        recursive=recursive,
        model=model,
        device=device,
        precision=precision,
        downsample=parse_downsample(downsample),
        mpp=mpp,
        quality=quality,
        image_size=image_size,
        preprocess=preprocess,
        view=parse_view(view),
        choice=PictureChoice(None, series, parse_channel(channel), time, z),
        colors=parse_colors(channel),
        inside=inside,
        write=("encodings",),
    )
    plan = RunPlan(
        workers=workers,
        scheduler=scheduler,
        tls=(tls_ca, tls_cert, tls_key),
        part=parse_part(part),
        overwrite=overwrite,
        cached=False,
    )
    plan.check()
    job = plan_job(settings, overwrite=overwrite)
    try:
        run_and_report(job, plan, Printer(quiet, as_json))
    finally:
        job.folder.discard_if_empty()


def prompt(
    encodings: Encodings,
    output: Output,
    words: Prompt = None,
    prompts: PromptSet = None,
    example: Examples = None,
    config: Config = None,
    model: Place = None,
    score: ScoreName = "relative",
    baseline: Baseline = None,
    templates: Templates = None,
    write: Annotated[
        str,
        typer.Option(
            help="What to write, with commas: maps (float32), overlays (the maps in colors), "
            "labels, points, shapes, geojson, table."
        ),
    ] = "maps,overlays",
    file_format: Format = "tif",
    threshold: Threshold = "otsu",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Ask further prompts of encoded images: no image, no image tower and no GPU are needed."""
    from napari_clip_heatmap.batch.encoded_images import plan_prompts
    from napari_clip_heatmap.batch.run_settings import RunSettings

    settings = RunSettings(
        inputs=tuple(encodings),
        prompts=(),
        output=output,
        model=model or "",
        score=score,
        baseline=tuple(baseline or ()),
        write=parse_names(write),
        format=parse_format(file_format),
        threshold=parse_threshold(threshold),
    )
    settings = asked_settings(settings, words or [], prompts, templates or [], example or [])
    job = plan_prompts(settings, overwrite=overwrite)
    plan = RunPlan(overwrite=overwrite, encoded=True)
    try:
        run_and_report(job, plan, Printer(quiet, as_json))
    finally:
        job.folder.discard_if_empty()


def search(
    words: Annotated[
        str, typer.Argument(help="What to look for, as a prompt, or FILE.yaml of an example.")
    ],
    encodings: Encodings,
    model: Place = None,
    top: Annotated[int, typer.Option(min=1, help="How many images to list.")] = 20,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Rank encoded images by how similar they are to words, and say where in each to look."""
    from dataclasses import asdict

    from napari_clip_heatmap.batch.encoded_images import find_encodings, search_encodings
    from napari_clip_heatmap.prompting.example import Example

    printer = Printer(quiet, as_json)
    asked = Example.load(words) if words.lower().endswith((".yaml", ".yml")) else words
    paths = find_encodings(encodings)
    found = []
    with printer.progress("Searching") as advance:
        for each in search_encodings(asked, paths, model):
            found.append(each)
            advance(len(found), len(paths))
    found.sort(key=lambda each: -each.similarity)
    printer.data([{**asdict(each), "path": str(each.path)} for each in found[:top]])
    printer.say("similarity  trust            y       x  image")
    for each in found[:top]:
        printer.say(
            f"{each.similarity:10.3f}  {each.trust:10}{each.y:8.0f}{each.x:8.0f}  {each.path}"
        )
