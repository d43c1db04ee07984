"""``clip-heatmap demo`` and ``samples``: a first result, and files to try everything on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_clip_heatmap.cli.console_output import Printer
from napari_clip_heatmap.cli.options import Quiet

__all__ = ["add_demo_command"]


def add_demo_command(app: typer.Typer) -> None:
    """Add both commands to the command line.

    Examples
    --------
    >>> add_demo_command(typer.Typer())
    """
    app.command()(demo)
    app.command()(samples)


def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Write pictures only.")] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the pictures.")] = Path(
        "clip-heatmap-demo"
    ),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace other pictures in the folder.")
    ] = False,
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
    from napari_clip_heatmap.batch.demo_pictures import write_demo

    with printer.progress("Encoding") as advance:
        sheet = write_demo(output, overwrite=overwrite, progress=advance)
    printer.say(f"Pictures written to {output.resolve()}; begin with {sheet}")


def samples(
    folder: Annotated[Path, typer.Argument(help="Where to write them.")] = Path("samples"),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace samples that are there already.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Write the sample images of the tutorials: channels, a stack, smears, a plate, a slide."""
    from napari_clip_heatmap.files.sample_files import SAMPLE_FILES, write_samples

    printer = Printer(quiet)
    write_samples(folder, overwrite=overwrite)
    for name, shown in SAMPLE_FILES.items():
        printer.say(f"{folder / name}: {shown}")
