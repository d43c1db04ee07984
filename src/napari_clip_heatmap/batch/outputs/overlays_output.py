"""Heatmaps over their images as PNG, to look at."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari_clip_heatmap.batch.outputs.image_output import (
    ImageOutput,
    OutputTarget,
    Step,
    plane_suffix,
)
from napari_clip_heatmap.files.overlays import write_picture

if TYPE_CHECKING:
    from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult

__all__ = ["OUTPUT"]


class OverlaysOutput(ImageOutput):
    """Writes ``NAME_PROMPT_overlay.png``, for stacks one for each plane."""

    kind = "overlays"

    @classmethod
    def files(cls, target: OutputTarget) -> list[str]:
        return target.names("_overlay.png", by_plane=True)

    def add(self, plane: PlaneResult) -> Sequence[Step]:
        start = f"{self.target.image.name}{plane_suffix(self.target.opened, plane.index)}"
        drafts = [self.draft(f"{start}_{name}_overlay.png") for name in self.target.prompt_names]
        return [partial(_write, plane, number, draft) for number, draft in enumerate(drafts)]


def _write(plane: PlaneResult, number: int, draft: Path) -> None:
    write_picture(draft, plane.picture(number))


OUTPUT = OverlaysOutput
