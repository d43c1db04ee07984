"""Small pictures of an image and of its heatmaps, for a sheet to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.files.overlays import overlay
from napari_clip_heatmap.imaging.opencv import cv2

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.job_folder import JobFolder
    from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult

__all__ = ["THUMBNAIL_SIDE", "keep_thumbnails"]

THUMBNAIL_SIDE = 160
"""Pixels of the longer side."""

_QUALITY = 80


def keep_thumbnails(job: JobFolder, name: str, result: PlaneResult) -> None:
    """Write a small picture of the plane, and one of each heatmap over it, as JPEG.

    Examples
    --------
    >>> keep_thumbnails(job, "cells", result)  # doctest: +SKIP
    """
    factor = max(1, -(-max(result.encoding.image_shape) // THUMBNAIL_SIDE))
    colors = None
    if result.channels:  # of large images no more is read than is shown
        same = factor == result.overview_factor
        colors = result.overview_colors if same else result.colors(factor)
        _write(job, name, 0, np.rint(np.clip(colors, 0, 1) * 255).astype(np.uint8))
    n_maps = len(result.target.settings.prompts)
    if n_maps == 0:
        return
    values = np.stack([result.overview(number, factor) for number in range(n_maps)])
    for number, drawn in enumerate(result.jet(values)):
        shown = np.isfinite(values[number])
        picture = drawn if colors is None else overlay(colors, drawn, shown)
        _write(job, name, number + 1, picture)


def _write(job: JobFolder, name: str, number: int, picture: NDArray[np.uint8]) -> None:
    path = job.thumbnail(name, number)
    # OpenCV takes a tenth of Pillow's time for pictures as small as these.
    _, encoded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    path.write_bytes(encoded.tobytes())
