"""Small pictures of an image and of its heatmaps, for a sheet to look at.

Those of an image are JPEG pictures one after another in one file, as in a film (Motion JPEG):
what shows JPEG shows the first. A file for each would take longer to make than its picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.opencv import cv2

if TYPE_CHECKING:
    from pathlib import Path

    from napari_clip_heatmap.batch.job_folder import JobFolder
    from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult

__all__ = ["THUMBNAIL_SIDE", "keep_thumbnails", "read_thumbnails"]

THUMBNAIL_SIDE = 160
"""Pixels of the longer side."""

_QUALITY = 80

_START = b"\xff\xd8\xff"
"""What a JPEG picture begins with; within one of OpenCV's there is no such thing."""


def keep_thumbnails(job: JobFolder, name: str, result: PlaneResult) -> None:
    """Write a small picture of the plane, if there is one, and of each heatmap over it, as JPEG.

    Examples
    --------
    >>> keep_thumbnails(job, "cells", result)  # doctest: +SKIP
    """
    step = result.overview_factor  # a multiple of it can be made from the overview
    factor = step * max(1, -(-max(result.encoding.image_shape) // (step * THUMBNAIL_SIDE)))
    pictures = [result.image_picture(factor)] if result.channels else []
    if result.target.settings.prompts:
        pictures += result.pictures(factor)
    if pictures:
        job.thumbnails(name).write_bytes(b"".join(map(_jpeg, pictures)))


def read_thumbnails(path: Path) -> list[bytes]:
    """Return what `keep_thumbnails` wrote, each as a JPEG file; none where there is no file.

    Examples
    --------
    >>> read_thumbnails(Path("no such file"))
    []
    """
    if not path.is_file():
        return []
    return [_START + each for each in path.read_bytes().split(_START)[1:]]


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    # OpenCV takes a tenth of Pillow's time for pictures as small as these.
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    content: bytes = encoded.tobytes()
    return content
