"""Outlines of objects as shapes in CSV, which napari opens."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any, TextIO

from napari_clip_heatmap.batch.outputs.image_output import ImageOutput, OutputTarget

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult

__all__ = ["OUTPUT"]


class ShapesOutput(ImageOutput):
    """Writes ``NAME_PROMPT_shapes.csv``: the outer outline of each object, a row a corner."""

    kind = "shapes"

    def __init__(self, target: OutputTarget) -> None:
        super().__init__(target)
        self._streams: list[TextIO] = []
        self._writers: list[Any] = []
        self._counts: list[int] = []

    @classmethod
    def files(cls, target: OutputTarget) -> list[str]:
        return target.names("_shapes.csv")

    def add(self, plane: PlaneResult) -> None:
        from napari_clip_heatmap.annotation.polygons import label_polygons

        if not self._streams:
            self._begin(len(plane.index) + 2)
        for number, writer in enumerate(self._writers):
            for polygon in label_polygons(plane.objects(number).labels):
                for corner, (y, x) in enumerate(polygon.shell.tolist()):
                    row = [self._counts[number], "polygon", corner, *plane.index]
                    # napari counts from pixel centers, outlines from pixel corners.
                    writer.writerow([*row, y - 0.5, x - 0.5])
                self._counts[number] += 1

    def close(self) -> None:
        for each in self._streams:
            each.close()

    def _begin(self, n_axes: int) -> None:
        axes = [f"axis-{number}" for number in range(n_axes)]
        for file in self.files(self.target):
            stream = self.draft(file).open("w", newline="", encoding="utf-8")
            self._streams.append(stream)
            self._writers.append(csv.writer(stream))
            self._writers[-1].writerow(["index", "shape-type", "vertex-index", *axes])
            self._counts.append(0)


OUTPUT = ShapesOutput
