"""What tells whether a file or store is still the one that was worked on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from napari_clip_heatmap.hashing import hash_file, hash_json

__all__ = ["content_of_source", "is_same_content"]

_LABELS, _METADATA, _COPIES = "labels", "zarr.json", ".zmetadata"

_HASHED = 2**30
"""Bytes up to which a file is read to be identified; larger ones are so by size and time."""


def content_of_source(path: Path, known: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return size, time of change and hash of a file, or of the list of files of a store.

    Parameters
    ----------
    path : Path
    known : dict, optional
        What was returned before: of a file with the same size and time the hash is taken from it.

    Examples
    --------
    >>> content_of_source(Path("cells.tif"))  # doctest: +SKIP
    {'bytes': 3824, 'modified': 1764118560123456789, 'sha256': '...'}
    """
    if path.is_dir():
        listed = [*_files_of_image(path)]
        return {"files": len(listed), "sha256": hash_json(listed)}
    size, modified = _stamp(path)
    content: dict[str, Any] = {"bytes": size, "modified": modified}
    if known and content.items() <= known.items():
        return known
    return {**content, "sha256": hash_file(path) if size <= _HASHED else None}


def is_same_content(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Return whether two results of `content_of_source` are of the same pixels.

    Examples
    --------
    >>> is_same_content({"bytes": 1, "modified": 5, "sha256": "a"},
    ...                 {"bytes": 1, "modified": 9, "sha256": "a"})
    True
    """
    if before.get("sha256") and now.get("sha256"):
        return bool(before["sha256"] == now["sha256"])
    return before == now


def _files_of_image(path: Path) -> Iterator[list[Any]]:
    """Yield what identifies each file of a store, but for labels: they may be added to an image.

    Metadata count by what they say, as they are written again when labels are added.
    """
    for each in sorted(path.rglob("*")):
        inner = each.relative_to(path)
        if not each.is_file() or _LABELS in inner.parts or each.name == _COPIES:
            continue
        if each.name == _METADATA:
            yield [str(inner), _own_metadata(each)]
        else:
            yield [str(inner), *_stamp(each)]


def _own_metadata(path: Path) -> str:
    """Return the metadata of a group without copies of those of the groups and arrays in it."""
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        content = json.loads(text)
    except ValueError:
        return text
    if isinstance(content, dict):
        content.pop("consolidated_metadata", None)
    return hash_json(content)


def _stamp(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_size, about.st_mtime_ns
