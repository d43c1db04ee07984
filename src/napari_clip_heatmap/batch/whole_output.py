"""Files and folders that appear whole or not at all, and never over what is not ours."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from napari_clip_heatmap.errors import OutputError, shorten

__all__ = ["DRAFT", "disk_errors", "put_in_place", "remove_path", "write_json", "writing"]

DRAFT = ".part"
"""Beginning of the names of what is still being written."""


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield where to write a file, which takes the place of `path` once all went well.

    Examples
    --------
    >>> with writing(Path("notes.txt")) as draft:  # doctest: +SKIP
    ...     draft.write_text("whole or not at all")
    """
    draft = path.with_name(f"{DRAFT}-{uuid4().hex[:12]}-{path.name}")
    try:
        yield draft
        put_in_place(draft, path)
    finally:
        remove_path(draft)


def put_in_place(draft: Path, path: Path) -> None:
    """Rename a finished draft, file or folder, over what is at a path.

    Examples
    --------
    >>> put_in_place(Path(".maps.tif.part"), Path("maps.tif"))  # doctest: +SKIP
    """
    if path.is_dir():
        old = path.with_name(f"{DRAFT}-old-{path.name}")
        remove_path(old)
        path.rename(old)
        draft.rename(path)
        remove_path(old)
    else:
        draft.replace(path)


def remove_path(path: Path) -> None:
    """Remove a file or a folder, if it is there.

    Examples
    --------
    >>> remove_path(Path("no such file"))
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: Path, content: Any, indent: int | None = 2) -> str:
    """Write a JSON value, whole or not at all, and return its text.

    Without indent it takes a fifth of the time.

    Examples
    --------
    >>> write_json(Path("run.json"), {"images": []})  # doctest: +SKIP
    """
    text = json.dumps(content, indent=indent, ensure_ascii=False)
    with writing(path) as draft:
        draft.write_text(text + "\n", encoding="utf-8")
    return text


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn what the disk says into an error that tells what to do.

    Raises
    ------
    OutputError
        The disk is full or fails, or the folder may not be written to.

    Examples
    --------
    >>> with disk_errors(Path("results")):
    ...     pass
    """
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"results cannot be written to '{shorten(folder)}' ({error.strerror or error}); make "
            "room or choose another --output. What is done is kept: repeat the command to go on"
        ) from error
