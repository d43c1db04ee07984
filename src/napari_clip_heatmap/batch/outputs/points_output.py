"""Peaks of heatmaps as points in CSV, which napari opens."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any, TextIO

from napari_clip_heatmap.batch.outputs.image_output import ImageOutput, OutputTarget

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult

__all__ = ["OUTPUT"]


class PointsOutput(ImageOutput):
    """Writes ``NAME_points.csv``: positions along each axis, prompt, value and label."""

    kind = "points"

    def __init__(self, target: OutputTarget) -> None:
        super().__init__(target)
        self._stream: TextIO | None = None
        self._writer: Any = None
        self._count = 0

    @classmethod
    def files(cls, target: OutputTarget) -> list[str]:
        return target.names("_points.csv", by_prompt=False)

    def add(self, plane: PlaneResult) -> None:
        if self._stream is None:
            (file,) = self.files(self.target)
            self._stream = self.draft(file).open("w", newline="", encoding="utf-8")
            self._writer = csv.writer(self._stream)
            axes = [f"axis-{number}" for number in range(len(plane.index) + 2)]
            self._writer.writerow(["index", *axes, "prompt", "value", "label"])
        for number, prompt in enumerate(plane.maps.prompts):
            peaks = plane.peaks(number)
            for (y, x), value, label in zip(*peaks, strict=True):
                row = [self._count, *plane.index, f"{y:.3f}", f"{x:.3f}", prompt, f"{value:.6g}"]
                self._writer.writerow([*row, int(label)])
                self._count += 1

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()


OUTPUT = PointsOutput
