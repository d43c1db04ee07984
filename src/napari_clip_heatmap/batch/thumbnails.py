"""Small pictures of an image and of its heatmaps, for a sheet to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.files.overlays import overlay

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.job_folder import JobFolder
    from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult

__all__ = ["THUMBNAIL_SIDE", "keep_thumbnails"]

THUMBNAIL_SIDE = 160
"""Pixels of the longer side."""


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
    for number in range(len(result.target.settings.prompts)):
        values = result.overview(number, factor)
        drawn = result.jet(values)
        picture = drawn if colors is None else overlay(colors, drawn, np.isfinite(values))
        _write(job, name, number + 1, picture)


def _write(job: JobFolder, name: str, number: int, picture: NDArray[np.uint8]) -> None:
    from PIL import Image

    path = job.thumbnail(name, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, quality=80)
