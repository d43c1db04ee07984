"""Commands over models: ``models`` and ``download``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from napari_clip_heatmap.cli.application import ExitCode
from napari_clip_heatmap.cli.completion import complete_models
from napari_clip_heatmap.cli.console_output import Printer
from napari_clip_heatmap.cli.options import Json, Quiet

__all__ = ["add_model_commands"]


def add_model_commands(app: typer.Typer) -> None:
    """Add the commands to the command line.

    Examples
    --------
    >>> add_model_commands(typer.Typer())
    """
    app.command()(models)
    app.command()(download)


def models(
    search: Annotated[
        str, typer.Argument(help="Words to look for in names, training data, licences, notes.")
    ] = "",
    here: Annotated[bool, typer.Option("--here", help="Only what is on this machine.")] = False,
    as_json: Json = False,
) -> None:
    """List the models that can be decomposed; no network is used."""
    from napari_clip_heatmap.api import list_models
    from napari_clip_heatmap.files.model_listing import print_models

    entries = [entry for entry in list_models(search) if entry.here or not here]
    if as_json:
        Printer(as_json=True).data([asdict(entry) for entry in entries])
    else:
        print_models(entries)


def download(
    model: Annotated[
        str,
        typer.Argument(
            autocompletion=complete_models, help="ARCH/TAG of open_clip, or hf-hub:ORG/NAME."
        ),
    ],
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Download a model and its tokenizer; one that was cut or stopped goes on where it ended."""
    from napari_clip_heatmap.api import download_model

    printer = Printer(quiet, as_json)
    try:
        with printer.progress(f"Downloading {model}", in_bytes=True) as advance:
            path = download_model(model, progress=advance)
    except KeyboardInterrupt:
        printer.say("clip-heatmap: stopped; what has come is kept, and the next call goes on.")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    printer.say(f"{model} is on this machine: {path}")
    printer.data({"model": model, "path": str(path)})
