"""Heatmap values as TIFF: one float32 file per prompt, one page per plane."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.batch.outputs.image_output import ImageOutput, OutputTarget, Step
from napari_clip_heatmap.batch.outputs.tiff_pages import TiffPages

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult

__all__ = ["OUTPUT"]


class MapsOutput(ImageOutput):
    """Writes ``NAME_PROMPT_heatmap.tif``."""

    kind = "maps"

    def __init__(self, target: OutputTarget) -> None:
        super().__init__(target)
        self._pages: list[TiffPages] = []

    @classmethod
    def files(cls, target: OutputTarget) -> list[str]:
        return target.names("_heatmap.tif")

    def add(self, plane: PlaneResult) -> Sequence[Step]:
        maps = plane.maps
        if not self._pages:
            self._pages = [
                TiffPages(
                    self.draft(file),
                    self.target.opened,
                    np.float32,
                    {"prompt": prompt, "score": maps.score, "unit": maps.unit},
                )
                for file, prompt in zip(self.files(self.target), maps.prompts, strict=True)
            ]

        def write(number: int) -> None:
            only = slice(number, number + 1)

            def read(y: slice, x: slice) -> NDArray[np.float32]:
                values: NDArray[np.float32] = maps.window(y, x, maps=only)[0]
                return values

            self._pages[number].add(read)

        return [partial(write, number) for number in range(len(self._pages))]

    def close(self) -> None:
        for each in self._pages:
            each.close()


OUTPUT = MapsOutput
