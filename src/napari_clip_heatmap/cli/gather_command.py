"""``clip-heatmap gather``: finish a job that was done in parts, and report on all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_clip_heatmap.cli.application import ExitCode
from napari_clip_heatmap.cli.console_output import Printer
from napari_clip_heatmap.cli.options import Json, Quiet

__all__ = ["add_gather_command"]


def add_gather_command(app: typer.Typer) -> None:
    """Add the command to the command line.

    Examples
    --------
    >>> add_gather_command(typer.Typer())
    """
    app.command()(gather)


def gather(
    job: Annotated[Path, typer.Argument(metavar="JOB", help="The --output folder of the parts.")],
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Put the parts of a job together: finish images whose tiles are all there, write the reports.

    Images that failed or are not done yet are listed, with exit code 1.
    """
    from napari_clip_heatmap.batch.gather_job import gather_job

    printer = Printer(quiet, as_json)
    with printer.progress("Gathering") as advance:
        gathered = gather_job(job, advance)
    printer.data(gathered.record)
    n_images = gathered.n_done + len(gathered.left) + len(gathered.failed)
    printer.say(f"{gathered.n_done} of {n_images} images are done; see {job / 'summary.html'}")
    for reason in gathered.failed:
        printer.complain(f"  {reason}")
    if gathered.left:
        printer.complain(
            f"clip-heatmap: {len(gathered.left)} images are not done, the first is "
            f"'{gathered.left[0]}'; repeat the parts that were cut, then gather again"
        )
    if gathered.left or gathered.failed:
        raise typer.Exit(ExitCode.SOME_FAILED)
