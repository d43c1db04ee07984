"""Commands that measure a model where the truth is known, or set its limits there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from napari_clip_heatmap.cli.console_output import Printer
from napari_clip_heatmap.cli.option_values import parse_downsample
from napari_clip_heatmap.cli.options import (
    Data,
    Device,
    Json,
    Model,
    Precision,
    Preprocess,
    Quiet,
    Scenes,
)

__all__ = ["add_evaluation_commands"]


def add_evaluation_commands(app: typer.Typer) -> None:
    """Add the commands to the command line.

    Examples
    --------
    >>> add_evaluation_commands(typer.Typer())
    """
    app.command()(evaluate)
    app.command()(honesty)
    app.command()(calibrate)


def evaluate(
    model: Model = "demo",
    device: Device = "auto",
    precision: Precision = "auto",
    data: Data = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the report and its pictures.")
    ] = Path("clip-heatmap-evaluation"),
    scenes: Scenes = 200,
    seed: Annotated[int, typer.Option(min=0, help="Which scenes are drawn.")] = 0,
    seeds: Annotated[
        int,
        typer.Option(
            min=1,
            help="Sets of scenes, each from a seed of its own: figures carry an interval.",
        ),
    ] = 5,
    fold: Annotated[
        str, typer.Option(help="K/N: only this part of the micrographs, as held back in training.")
    ] = "",
    preprocess: Preprocess = None,
    faithfulness: Annotated[
        bool,
        typer.Option("--faithfulness", help="Instead: deletion and insertion against other maps."),
    ] = False,
    localization: Annotated[
        bool,
        typer.Option("--localization", help="Instead: other maps from the same forward pass."),
    ] = False,
    prompt_lists: Annotated[
        bool,
        typer.Option("--prompt-lists", help="Instead: each score over many lists of prompts."),
    ] = False,
    examples: Annotated[
        bool,
        typer.Option("--examples", help="Instead: simulated clicks against words."),
    ] = False,
    downsample: Annotated[
        str, typer.Option(help="With --examples: image pixels per pixel the model sees, or auto.")
    ] = "auto",
    imagenet_s: Annotated[
        Path | None,
        typer.Option(exists=True, help="Instead: ImageNet-Segmentation, gtsegs_ijcv.mat."),
    ] = None,
    voc: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Instead: VOC-21, VOCdevkit/VOC2012."),
    ] = None,
    voc_names: Annotated[
        str, typer.Option(help="official or bare: which names of the VOC classes are asked.")
    ] = "official",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many images of a public data set.")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure how well heatmaps find what the prompts name, where the truth is known."""
    from napari_clip_heatmap.api import load_model
    from napari_clip_heatmap.evaluation import evaluate_model
    from napari_clip_heatmap.evaluation.micrographs.micrograph_index import GroupFold
    from napari_clip_heatmap.files.output_folder import make_folder

    special = {
        "examples": examples,
        "faithfulness": faithfulness,
        "localization": localization,
        "prompt-lists": prompt_lists,
        "imagenet-s": imagenet_s,
        "voc": voc,
    }
    asked = [name for name, value in special.items() if value]
    if len(asked) > 1:
        raise typer.BadParameter(f"--{asked[0]} and --{asked[1]}: choose one of them at a time")
    if downsample != "auto" and not examples:
        raise typer.BadParameter("--downsample goes with --examples alone")
    if voc_names not in ("official", "bare"):
        raise typer.BadParameter(f"'{voc_names}' is no choice of names: official or bare")
    printer = Printer(quiet, as_json)
    make_folder(output)
    loaded = load_model(model, device=device, precision=precision, preprocess=preprocess)
    with printer.progress("Evaluating") as advance:
        if asked:
            from napari_clip_heatmap.evaluation.special_reports import SpecialRequest, run_special

            request = SpecialRequest(
                asked[0],
                data,
                scenes,
                seed,
                imagenet_s or voc,
                voc_names,
                limit,
                parse_downsample(downsample),
            )
            report, path = run_special(loaded, request, output, advance)
        else:
            report = evaluate_model(
                loaded,
                data=data,
                output=output,
                n_scenes=scenes,
                seed=seed,
                n_seeds=seeds,
                fold=GroupFold.parse(fold) if fold else None,
                progress=advance,
            )
            path = output / "report.json"
    printer.say(report)
    printer.say(f"Report and pictures: {output.resolve()}")
    _tell_figures(printer, path)


def honesty(
    model: Model = "demo",
    device: Device = "auto",
    data: Data = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the report and its picture.")
    ] = Path("clip-heatmap-honesty"),
    scenes: Scenes = 150,
    seed: Annotated[
        int, typer.Option(min=0, help="Which scenes and gibberish are drawn.")
    ] = 9_000_000,
    gibberish: Annotated[int, typer.Option(min=1, help="Prompts of each kind of gibberish.")] = 60,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure whether verdicts are right: on what is there, on what is not, and on gibberish."""
    from napari_clip_heatmap.api import load_model
    from napari_clip_heatmap.evaluation.verdict_chart import draw_distribution
    from napari_clip_heatmap.evaluation.verdict_report import VerdictReport
    from napari_clip_heatmap.evaluation.verdict_trial import measure_verdicts
    from napari_clip_heatmap.files.output_folder import make_folder
    from napari_clip_heatmap.files.overlays import write_picture
    from napari_clip_heatmap.pipeline.calibration import TextLimits, find_calibration

    printer = Printer(quiet, as_json)
    make_folder(output)
    loaded = load_model(model, device=device)
    with printer.progress("Judging") as advance:
        judged = measure_verdicts(
            loaded, data=data, n_scenes=scenes, seed=seed, n_gibberish=gibberish, progress=advance
        )
    report = VerdictReport(loaded.describe(), judged, seed)
    report.write(output)
    found = find_calibration(loaded.weights_sha256)
    limits = TextLimits() if found is None else found.text
    write_picture(output / "honesty.png", draw_distribution(judged, limits))
    printer.say(report)
    printer.say(f"Report and picture: {output.resolve()}")
    _tell_figures(printer, output / "honesty.json")


def calibrate(
    model: Annotated[str, typer.Argument(help="As --model takes it.")] = "demo",
    images: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="Folder of your images that says what they show."
        ),
    ] = None,
    negatives: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="Folder of images without any cells or organelles."
        ),
    ] = None,
    scenes: Annotated[int, typer.Option(min=24, help="Drawn scenes.")] = 120,
    seed: Annotated[int, typer.Option(min=0, help="Which scenes are drawn.")] = 51_000_000,
    device: Device = "auto",
    preprocess: Preprocess = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Set the limits that tell what is in an image from what is not, for one model."""
    from napari_clip_heatmap.api import load_model
    from napari_clip_heatmap.evaluation.meaning.calibrate import calibrate_model
    from napari_clip_heatmap.evaluation.meaning.listed_images import (
        read_known_folder,
        read_negatives,
    )

    printer = Printer(quiet, as_json)
    own = [
        *([] if images is None else read_known_folder(images)),
        *([] if negatives is None else read_negatives(negatives)),
    ]
    loaded = load_model(model, device=device, preprocess=preprocess)
    with printer.progress("Calibrating") as advance:
        made = calibrate_model(loaded, images=own, n_scenes=scenes, seed=seed, progress=advance)
    path = made.write()
    printer.say(f"{made.model}: calibrated on {made.source}.")
    printer.say("On images that the limits were not set on, in percent:")
    for what, rate in made.figures.items():
        printer.say(f"  {what}: {rate}")
    printer.say(f"Verdicts use it from now on: {path}")
    _tell_figures(printer, path)


def _tell_figures(printer: Printer, path: Path) -> None:
    """Write the report's file of figures for programs."""
    if printer.as_json:
        printer.data(json.loads(path.read_text(encoding="utf-8")))
