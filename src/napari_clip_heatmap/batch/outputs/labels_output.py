"""Objects as label images in TIFF: one int32 file per prompt, one page per plane."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.batch.outputs.image_output import ImageOutput, OutputTarget
from napari_clip_heatmap.batch.outputs.tiff_pages import TiffPages

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult

__all__ = ["OUTPUT"]


class LabelsOutput(ImageOutput):
    """Writes ``NAME_PROMPT_labels.tif``; in each plane objects are numbered from 1."""

    kind = "labels"

    def __init__(self, target: OutputTarget) -> None:
        super().__init__(target)
        self._pages: list[TiffPages] = []

    @classmethod
    def files(cls, target: OutputTarget) -> list[str]:
        return target.names("_labels.tif")

    def add(self, plane: PlaneResult) -> None:
        if not self._pages:
            self._pages = [
                TiffPages(self.draft(file), self.target.opened, np.int32, {"prompt": prompt})
                for file, prompt in zip(
                    self.files(self.target), self.target.settings.prompts, strict=True
                )
            ]
        for number, pages in enumerate(self._pages):
            pages.add(partial(_part, plane.objects(number).labels))

    def close(self) -> None:
        for each in self._pages:
            each.close()


def _part(labels: NDArray[np.int32], y: slice, x: slice) -> NDArray[np.int32]:
    return labels[y, x]


OUTPUT = LabelsOutput
