"""The command over encodings that are kept on disk: ``cache``."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_clip_heatmap.cli.console_output import Printer
from napari_clip_heatmap.cli.options import Json, Quiet

__all__ = ["add_cache_commands"]

MEGABYTE, GIGABYTE = 10**6, 10**9


def add_cache_commands(app: typer.Typer) -> None:
    """Add the command to the command line.

    Examples
    --------
    >>> add_cache_commands(typer.Typer())
    """
    app.command("cache")(manage_cache)


def manage_cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove all that is kept.")] = False,
    limit: Annotated[
        float | None,
        typer.Option(min=0, max=10**6, help="Gigabytes it may take from now on; 0: no cache."),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Show where encodings are kept, how many, and what they take; empty that, or limit it."""
    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

    printer, kept = Printer(quiet, as_json), EncodingCache()
    if limit is not None:
        kept.limit = round(limit * GIGABYTE)
    removed = kept.clear() if clear else 0
    if clear:
        printer.say(f"Removed {removed / MEGABYTE:.1f} MB")
    printer.say(f"Folder:  {kept.folder}")
    printer.say(f"Entries: {len(kept)}")
    printer.say(f"Size:    {kept.size / MEGABYTE:.1f} MB of {kept.limit / MEGABYTE:.0f} MB")
    printer.data(
        {
            "folder": str(kept.folder),
            "entries": len(kept),
            "bytes": kept.size,
            "limit": kept.limit,
            "removed": removed,
        }
    )
