"""Objects as a table in CSV, a row an object, for all prompts and planes of an image."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING, Any, TextIO

from napari_clip_heatmap.batch.outputs.image_output import ImageOutput, OutputTarget

if TYPE_CHECKING:
    from napari_clip_heatmap.annotation.objects import ObjectSet
    from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult

__all__ = ["OUTPUT"]


class TableOutput(ImageOutput):
    """Writes ``NAME_objects.csv``: the objects of the maps, or those of ``--objects``."""

    kind = "table"

    def __init__(self, target: OutputTarget) -> None:
        super().__init__(target)
        self._stream: TextIO | None = None
        self._names: tuple[str, ...] = ()

    @classmethod
    def files(cls, target: OutputTarget) -> list[str]:
        return target.names("_objects.csv", by_prompt=False)

    def add(self, plane: PlaneResult) -> None:
        if plane.given_objects is not None:
            self._add(plane, plane.given_objects)
            return
        for number in range(len(plane.maps.prompts)):
            self._add(plane, plane.objects(number))

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def _add(self, plane: PlaneResult, objects: ObjectSet) -> None:
        axes = self.target.opened.axes
        if self._stream is None:
            (file,) = self.files(self.target)
            self._stream = self.draft(file).open("w", newline="", encoding="utf-8")
            self._names = objects.table.names
            csv.writer(self._stream).writerow([*axes, *self._names, "source"])
        writer = csv.writer(self._stream)
        source = self.target.image.entry.label
        for row in objects.table.rows():
            cells = [_cell(row[name]) for name in self._names]
            writer.writerow([*plane.index, *cells, source])


def _cell(value: Any) -> Any:
    return "" if isinstance(value, float) and math.isnan(value) else value


OUTPUT = TableOutput
