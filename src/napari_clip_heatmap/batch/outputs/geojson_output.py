"""Objects as polygons in GeoJSON, which QuPath takes by drag and drop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_clip_heatmap.batch.outputs.image_output import ImageOutput, OutputTarget, plane_suffix
from napari_clip_heatmap.files.object_formats import write_objects

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult

__all__ = ["OUTPUT"]


class GeojsonOutput(ImageOutput):
    """Writes ``NAME_PROMPT_objects.geojson``, or ``NAME_objects.geojson`` of given objects."""

    kind = "geojson"

    @classmethod
    def files(cls, target: OutputTarget) -> list[str]:
        given = target.settings.objects is not None
        return target.names("_objects.geojson", by_plane=True, by_prompt=not given)

    def add(self, plane: PlaneResult) -> None:
        start = f"{self.target.image.name}{plane_suffix(self.target.opened, plane.index)}"
        source = self.target.image.entry.source
        if plane.given_objects is not None:
            objects = {f"{start}_objects.geojson": plane.given_objects}
        else:
            objects = {
                f"{start}_{prompt}_objects.geojson": plane.objects(number)
                for number, prompt in enumerate(self.target.prompt_names)
            }
        for file, each in objects.items():
            write_objects(self.draft(file), each, source=source, overwrite=True)


OUTPUT = GeojsonOutput
