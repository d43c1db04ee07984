"""Encodings: what is needed to ask further prompts later, on any machine, without the images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_clip_heatmap.batch.job_folder import ENCODING_SUFFIX
from napari_clip_heatmap.batch.outputs.image_output import ImageOutput, OutputTarget, plane_suffix

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult

__all__ = ["OUTPUT"]


class EncodingsOutput(ImageOutput):
    """Writes ``NAME_encoding.zarr.zip``, for stacks one for each plane."""

    kind = "encodings"

    @classmethod
    def files(cls, target: OutputTarget) -> list[str]:
        return target.names(ENCODING_SUFFIX, by_plane=True, by_prompt=False)

    def add(self, plane: PlaneResult) -> None:
        start = f"{self.target.image.name}{plane_suffix(self.target.opened, plane.index)}"
        plane.encoding.save(self.draft(f"{start}{ENCODING_SUFFIX}"), overwrite=True)


OUTPUT = EncodingsOutput
