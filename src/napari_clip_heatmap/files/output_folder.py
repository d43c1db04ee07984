"""The folder that a command writes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_clip_heatmap.errors import OutputError
from napari_clip_heatmap.files.reading.picture_choice import short_name

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["make_folder"]


def make_folder(folder: Path) -> None:
    """Make a folder for results, if it is not there.

    Raises
    ------
    OutputError
        It cannot be made.

    Examples
    --------
    >>> make_folder(Path("results"))  # doctest: +SKIP
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the output folder {short_name(folder)} cannot be made ({error.strerror}); "
            "choose another --output"
        ) from error
