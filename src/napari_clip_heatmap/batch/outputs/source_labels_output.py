"""Objects as labels in the user's own OME-Zarr, next to the image that they were found in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_clip_heatmap.batch.job_folder import STATE
from napari_clip_heatmap.batch.outputs.image_output import ImageOutput, OutputTarget
from napari_clip_heatmap.batch.outputs.stacked_objects import (
    StackedObjects,
    objects_of_planes,
    require_room,
)
from napari_clip_heatmap.errors import ImageError, SettingsError
from napari_clip_heatmap.files.object_formats.objects_zarr import (
    add_labels,
    label_names,
    renew_consolidated,
)
from napari_clip_heatmap.files.reading.picture_choice import short_name

if TYPE_CHECKING:
    from napari_clip_heatmap.annotation.objects import Objects
    from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult

__all__ = ["OUTPUT"]


class SourceLabelsOutput(ImageOutput):
    """Writes ``labels/PROMPT`` into the image's own store; other labels in it stay as they are.

    Labels of the same name that this job has not written count as a file of others: the job stops
    before it computes anything, unless it may overwrite.
    """

    kind = "source-labels"

    def __init__(self, target: OutputTarget) -> None:
        super().__init__(target)
        self._planes: dict[str, list[Objects]] = {}

    @classmethod
    def files(cls, target: OutputTarget) -> list[str]:
        """Return absolute paths, as they lie outside of the job folder."""
        group = _group(target)
        _require_all_planes(target, _leading_shape(group))
        names = label_names(target.settings.prompts)
        return [str(group / "labels" / name) for name in names.values()]

    def add(self, plane: PlaneResult) -> None:
        require_room(self.target.opened)
        for number, prompt in enumerate(plane.maps.prompts):
            self._planes.setdefault(prompt, []).append(plane.objects(number))

    def commit(self) -> None:
        target, group = self.target, _group(self.target)
        leading = _leading_shape(group)
        names = label_names(target.settings.prompts)
        for prompt, planes in self._planes.items():
            objects: Any = planes[0]
            if target.opened.axes or leading:
                stacked = objects_of_planes(target.opened, planes, target.opened.axes)
                shape = (*leading, *target.opened.shape)
                objects = StackedObjects(
                    stacked.labels.reshape(shape), stacked.table, stacked.record
                )
            source = target.image.entry.label
            add_labels(group, objects, name=names[prompt], prompt=prompt, source=source)
        self._renew_listing(Path(target.image.entry.source), group)

    def _renew_listing(self, store: Path, group: Path) -> None:
        """Renew the metadata that a plate keeps of all its groups in one place, if it does."""
        from filelock import FileLock

        if store != group:
            # Several workers may write into fields of one plate.
            with FileLock(self.target.folder / STATE / "locks" / ".stores.lock"):
                renew_consolidated(store)


def _group(target: OutputTarget) -> Path:
    """Return the group of the image in its store."""
    entry = target.image.entry
    group = Path(entry.source) / entry.part
    about = _attributes(group) if entry.reader == "zarr" else {}
    if not about.get("multiscales"):
        raise ImageError(
            f"{short_name(entry.label)} is no OME-Zarr image, so no labels can be written into "
            "it; leave out --into-source, and the labels lie in the folder of the results"
        )
    return group


def _attributes(group: Path) -> dict[str, Any]:
    from napari_clip_heatmap.batch.inputs.zarr_images import ome_attributes

    return ome_attributes(group)


def _leading_shape(group: Path) -> tuple[int, ...]:
    """Return the lengths of the image's axes before y and x, without channels."""
    import zarr

    multiscale = _attributes(group)["multiscales"][0]
    names = [axis["name"] if isinstance(axis, dict) else axis for axis in multiscale["axes"]]
    array: Any = zarr.open_group(group, mode="r")[multiscale["datasets"][0]["path"]]
    return tuple(
        int(length)
        for name, length in zip(names[:-2], array.shape[:-2], strict=True)
        if name != "c"
    )


def _require_all_planes(target: OutputTarget, leading: tuple[int, ...]) -> None:
    if int(np.prod(leading)) != target.opened.n_planes:
        raise SettingsError(
            f"{short_name(target.image.entry.label)} has {int(np.prod(leading))} planes, and "
            f"labels in it are of all planes, not of {target.opened.n_planes}; leave out --time "
            "and --z, or --into-source"
        )


OUTPUT = SourceLabelsOutput
