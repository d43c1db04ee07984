"""One picture per class: example scenes with their heatmaps."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.api import encode
from napari_clip_heatmap.files.overlays import write_picture
from napari_clip_heatmap.imaging.opencv import cv2
from napari_clip_heatmap.scenes import CLASSES, draw

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.scenes import Scene

__all__ = ["write_examples"]

_SIDE = 256
_EXAMPLES = 6
_GAP = 4


def write_examples(model: ClipModel, folder: Path, seed: int) -> None:
    """Write ``example_CLASS.png``: scenes that show the class above their heatmaps.

    The outline of the true mask is drawn on the heatmap in white.
    """

    @cache  # most scenes show several classes
    def drawn(number: int) -> Scene:
        return draw(seed + number, (_SIDE, _SIDE))

    @cache
    def heatmaps(number: int) -> NDArray[np.uint8]:
        return encode(model, drawn(number).image).heatmaps(CLASSES).jet()

    for place, name in enumerate(CLASSES):
        columns: list[NDArray[np.uint8]] = []
        number = 0
        while len(columns) < _EXAMPLES:
            scene = drawn(number)
            if scene.masks.get(name, np.zeros(1)).sum() > _SIDE:
                heat = heatmaps(number)[place]
                columns.append(_column(scene.image, heat, scene.masks[name]))
            number += 1
        write_picture(folder / f"example_{name.replace(' ', '_')}.png", np.hstack(columns))


def _column(
    image: NDArray[np.uint8], heat: NDArray[np.uint8], mask: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    drawn = cv2.drawContours(heat.copy(), outlines, -1, (255, 255, 255), 1)
    stacked = np.vstack([image, np.zeros((_GAP, _SIDE, 3), np.uint8), drawn])
    return np.pad(stacked, ((0, 0), (0, _GAP), (0, 0)))
