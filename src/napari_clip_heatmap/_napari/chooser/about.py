"""A model of the catalogue in words."""

from __future__ import annotations

from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING

from napari_clip_heatmap.files.model_listing import pixels_in_words, size_in_words

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.catalogue import CatalogueEntry

__all__ = ["WARNING", "about", "licence_in_words"]

WARNING = "\N{WARNING SIGN}"


def licence_in_words(entry: CatalogueEntry) -> str:
    """Return the licence; what it forbids comes first, to be seen where there is little room."""
    if not entry.forbids:
        return entry.licence
    return f"{WARNING} forbids {entry.forbids} ({entry.licence})"


def about(entry: CatalogueEntry) -> str:
    """Return what is known of a model, as rich text."""
    lines = [f"<b>{escape(entry.name)}</b> \N{EM DASH} {_where(entry)}"]
    if entry.forbids:
        lines.append(
            f"<b>{WARNING} Its licence, {escape(entry.licence)}, forbids "
            f"{escape(entry.forbids)}.</b>"
        )
    else:
        lines.append(f"Licence: {escape(entry.licence)}.")
    lines.append(f"Trained on {escape(entry.data)}. {_sight(entry)}")
    if entry.needs:
        lines.append(_needed(entry.needs))
    if entry.note:
        lines.append(f"<i>{escape(entry.note)}</i>")
    return "<br>".join(lines)


def _where(entry: CatalogueEntry) -> str:
    if entry.here:
        return "on this machine."
    size = "" if entry.download_bytes is None else f", about {size_in_words(entry.download_bytes)}"
    return f"not on this machine: Download brings it{size}, or the first run does."


def _sight(entry: CatalogueEntry) -> str:
    rows, columns = entry.grid
    return (
        f"It looks at {pixels_in_words(entry.image_size)} pixels per side at a time, in "
        f"{rows} x {columns} patches of {pixels_in_words(entry.patch_size)}."
    )


def _needed(package: str) -> str:
    if find_spec(package) is not None:
        return f"It needs the package {escape(package)}, which is installed."
    return (
        f"<b>It needs the package {escape(package)}, which is not installed</b>: "
        f"pip install {escape(package)}"
    )
