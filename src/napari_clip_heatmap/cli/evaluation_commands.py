"""Commands that measure a model where the truth is known: ``evaluate`` and ``honesty``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from napari_clip_heatmap.cli.console_output import Printer
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
    preprocess: Preprocess = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure how well heatmaps find what the prompts name, where the truth is known."""
    from napari_clip_heatmap.api import load_model
    from napari_clip_heatmap.evaluation import evaluate_model
    from napari_clip_heatmap.files.output_folder import make_folder

    printer = Printer(quiet, as_json)
    make_folder(output)
    loaded = load_model(model, device=device, precision=precision, preprocess=preprocess)
    with printer.progress("Evaluating") as advance:
        report = evaluate_model(
            loaded, data=data, output=output, n_scenes=scenes, seed=seed, progress=advance
        )
    printer.say(report)
    printer.say(f"Report and pictures: {output.resolve()}")
    _tell_figures(printer, output / "report.json")


def honesty(
    model: Model = "demo",
    device: Device = "auto",
    data: Data = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the report and its picture.")
    ] = Path("clip-heatmap-honesty"),
    scenes: Scenes = 60,
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


def _tell_figures(printer: Printer, path: Path) -> None:
    """Write the report's file of figures for programs."""
    if printer.as_json:
        printer.data(json.loads(path.read_text(encoding="utf-8")))
