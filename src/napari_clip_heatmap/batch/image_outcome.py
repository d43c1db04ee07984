"""How the work on an image ended, and what there is to say of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap.errors import ClipHeatmapError
from napari_clip_heatmap.files.reading.picture_choice import short_name

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.job_folder import JobImage

__all__ = ["ImageOutcome", "WorkState", "reason_of"]


class WorkState(Enum):
    """How the work on an image ended."""

    DONE = "done"
    DONE_BEFORE = "done before"
    BUSY = "another process works on it"
    FAILED = "failed"
    TILES_LEFT = "tiles are left to other workers"


@dataclass(frozen=True)
class ImageOutcome:
    """How the work on an image ended, and what there is to say of it.

    Parameters
    ----------
    image : JobImage
    state : WorkState
    reason : str
        One sentence that names the file, where it failed.
    record : dict, optional
        Of the job folder, where it is done.

    Examples
    --------
    >>> ImageOutcome(image, WorkState.FAILED, "'a.tif' does not exist").reason  # doctest: +SKIP
    "'a.tif' does not exist"
    """

    image: JobImage
    state: WorkState
    reason: str = ""
    record: dict[str, Any] | None = None


def reason_of(image: JobImage, error: ClipHeatmapError | MemoryError) -> str:
    """Return one line that names the file.

    Examples
    --------
    >>> reason_of(image, ImageError("it is empty"))  # doctest: +SKIP
    "'a.tif': it is empty"
    """
    name = short_name(image.entry.label)
    if isinstance(error, MemoryError):
        return f"{name} needs more memory than there is; crop it, or use a larger --downsample"
    text = " ".join(str(error).split())
    source = short_name(image.entry.source)
    return text if text.startswith((name, source)) else f"{name}: {text}"
