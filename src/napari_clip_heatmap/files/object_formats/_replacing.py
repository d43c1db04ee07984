"""Write a file whole or not at all, and never over another unless it may be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_clip_heatmap.errors import OutputError

__all__ = ["replacing"]


@contextmanager
def replacing(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a path to write to, which takes the place of `path` once all went well.

    Raises
    ------
    OutputError
        There is a file, or the disk refuses.
    """
    if path.is_dir() or (path.exists() and not overwrite):
        raise OutputError(
            f"'{path}' is there already; give another name"
            + ("" if path.is_dir() else ", or overwrite=True to replace it")
        )
    draft = path.with_name(f"{path.name}.part")
    try:
        yield draft
        draft.replace(path)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"'{path}' could not be written: {error}") from error
    finally:
        draft.unlink(missing_ok=True)
