"""The catalog of models as a table, for a terminal or a text file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.catalog import CatalogEntry

__all__ = ["pixels_in_words", "print_models", "size_in_words"]

TABLE_WIDTH = 120
"""Columns that a table needs."""
FILE_WIDTH = 200
"""Columns where the output is no terminal."""


def print_models(entries: Sequence[CatalogEntry], console: Console | None = None) -> None:
    """Print one row per model; names are never shortened, so that they can be copied.

    Parameters
    ----------
    entries : sequence of CatalogEntry
    console : rich.console.Console, optional
        By default standard output.

    Examples
    --------
    >>> print_models(nch.list_models("pathology"))  # doctest: +SKIP
    """
    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, FILE_WIDTH)
    if not entries:
        console.print("No model has all these words; use fewer.")
        return
    console.print(_table(entries) if console.width >= TABLE_WIDTH else _blocks(entries))
    console.print(
        f"{len(entries)} models; `clip-heatmap download MODEL` downloads one, `--model MODEL` uses "
        "it."
    )


def _table(entries: Sequence[CatalogEntry]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Model", no_wrap=True)
    for heading in ("Download", "Pixels", "Patch"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("Here", "Trained on, licence, notes"):
        table.add_column(heading)
    for entry in entries:
        table.add_row(
            Text(entry.name),
            size_in_words(entry.download_bytes),
            pixels_in_words(entry.image_size),
            pixels_in_words(entry.patch_size),
            "yes" if entry.here else "",
            _words(entry),
        )
    return table


def _blocks(entries: Sequence[CatalogEntry]) -> Group:
    """Return one paragraph per model, for narrow terminals."""
    blocks: list[Text | Padding] = []
    for entry in entries:
        size, pixels = size_in_words(entry.download_bytes), pixels_in_words(entry.image_size)
        sizes = f"{size}, {pixels} pixels, patch {pixels_in_words(entry.patch_size)}"
        here = ", here" if entry.here else ""
        blocks += [
            Text(entry.name, style="bold", overflow="fold"),
            Padding(Text(f"{sizes}{here}"), (0, 0, 0, 2)),
            Padding(_words(entry), (0, 0, 0, 2)),
        ]
    return Group(*blocks)


def _words(entry: CatalogEntry) -> Group:
    lines = [Text(f"{entry.data}; {entry.licence}")]
    if entry.forbids:
        lines.append(Text(f"The licence forbids {entry.forbids}.", style="bold red"))
    if entry.needs:
        lines.append(Text(f"Needs the package '{entry.needs}'."))
    if entry.note:
        lines.append(Text(entry.note, style="italic"))
    return Group(*lines)


def pixels_in_words(size: tuple[int, int]) -> str:
    """Return a height and width in pixels, as one number where they are equal.

    Examples
    --------
    >>> pixels_in_words((224, 336))
    '224 x 336'
    """
    height, width = size
    return str(height) if height == width else f"{height} x {width}"


def size_in_words(n_bytes: int | None) -> str:
    """Return a size in decimal units, as downloads show it.

    Examples
    --------
    >>> size_in_words(150_000_000)
    '150 MB'
    """
    if n_bytes is None:
        return "?"
    if n_bytes == 0:
        return "none"
    if n_bytes < 1e9:
        return f"{n_bytes / 1e6:.0f} MB"
    return f"{n_bytes / 1e9:.1f} GB"
