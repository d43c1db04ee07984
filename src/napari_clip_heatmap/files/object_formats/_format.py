"""What a module of this folder says of the format it writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from napari_clip_heatmap.annotation.objects import ObjectSet

__all__ = ["ObjectFormat"]


class _Write(Protocol):
    def __call__(self, path: Path, objects: ObjectSet, *, source: str, overwrite: bool) -> None: ...


@dataclass(frozen=True)
class ObjectFormat:
    """One format of files of objects.

    Parameters
    ----------
    suffixes : tuple of str
        Ends of file names, in lower case, such as ".csv".
    write : callable(path, objects, *, source, overwrite)
        Raises `OutputError` rather than replace what is there, unless it may overwrite.
    """

    suffixes: tuple[str, ...]
    write: _Write
