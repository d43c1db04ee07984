"""Maps and labels as OME-Zarr 0.5: an image whose channels are the prompts, labels next to it."""

from __future__ import annotations

from collections.abc import Iterator
from math import log2, prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.batch.outputs.image_output import ImageOutput, OutputTarget
from napari_clip_heatmap.batch.outputs.stacked_objects import objects_of_planes, require_room
from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.files.map_store import (
    MAP_CHUNK,
    create_map_store,
    level_transforms,
    prompt_channel,
)
from napari_clip_heatmap.files.object_formats.objects_zarr import add_labels, label_names
from napari_clip_heatmap.imaging.resolution import unit_symbol

if TYPE_CHECKING:
    from napari_clip_heatmap.annotation.objects import Objects
    from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult

__all__ = ["OUTPUT"]

_SMALLEST = 512
"""Longest side of the coarsest level."""

_LARGE = 2**26
"""Image pixels from which maps are as fine as what the model saw, and no finer: what is between
would be interpolated, and the store says where the pixels lie."""

_ORDER = ("time", "c", "z")
_UNITS = {"µm": "micrometer", "nm": "nanometer", "mm": "millimeter", "cm": "centimeter"}


class StoreOutput(ImageOutput):
    """Writes ``NAME.ome.zarr``: float32 maps with levels, and on request ``labels/PROMPT``."""

    kind = "maps"

    def __init__(self, target: OutputTarget) -> None:
        super().__init__(target)
        (self._file,) = self.files(target)
        self._arrays: list[Any] = []
        self._labels: dict[str, list[Objects]] = {}
        self._limits: list[NDArray[np.float32]] = []
        self._finest = 1  # image pixels per pixel of the finest level

    @classmethod
    def files(cls, target: OutputTarget) -> list[str]:
        return target.names(".ome.zarr", by_prompt=False)

    def add(self, plane: PlaneResult) -> None:
        opened = self.target.opened
        if not self._arrays:
            self._prepare(plane)
        self._limits.append(plane.maps.limits)
        for level, array in enumerate(self._arrays):
            factor = self._finest * 2**level
            for rows, columns in _chunks(*array.shape[-2:]):
                values = plane.maps.window(rows, columns, factor=factor)
                for number, of_prompt in enumerate(values):
                    array[(*self._place(plane, number), rows, columns)] = of_prompt
        if "labels" in self.target.settings.write:
            require_room(opened)
            for number, prompt in enumerate(plane.maps.prompts):
                self._labels.setdefault(prompt, []).append(plane.objects(number))

    def commit(self) -> None:
        draft = self.draft(self._file)
        self._write_windows()
        names = label_names(self.target.settings.prompts)
        for prompt, planes in self._labels.items():
            objects: Any = planes[0]
            if self.target.opened.axes:
                order = [axis for axis in self._axes() if axis != "c"]
                objects = objects_of_planes(self.target.opened, planes, order)
            source = self.target.image.entry.label
            add_labels(draft, objects, name=names[prompt], prompt=prompt, source=source)
        super().commit()

    def _prepare(self, plane: PlaneResult) -> None:
        """Make the store with all its levels, still empty, and its metadata."""
        if prod(self.target.opened.shape) > _LARGE and "labels" not in self.target.settings.write:
            self._finest = 2 ** max(0, int(log2(plane.encoding.downsample)))
        shapes = self._shapes()
        record = {"settings": self.target.settings.record()}
        self._arrays = create_map_store(
            self.draft(self._file), self._metadata(shapes), shapes, record
        )

    def _axes(self) -> list[str]:
        """Return the axes before y and x, in the order that OME-Zarr wants."""
        named = [*self.target.opened.axes, "c"]
        unknown = [axis for axis in named if axis not in _ORDER]
        if unknown:
            raise SettingsError(
                f"OME-Zarr has no axis '{unknown[0]}', and the source does not say whether its "
                "planes are time points or focal planes; write --format tif"
            )
        return sorted(named, key=_ORDER.index)

    def _shapes(self) -> list[tuple[int, ...]]:
        opened = self.target.opened
        lengths = dict(zip(opened.axes, opened.lengths, strict=True))
        lengths["c"] = len(self.target.settings.prompts)
        leading = tuple(lengths[axis] for axis in self._axes())
        shapes: list[tuple[int, ...]] = []
        while not shapes or max(shapes[-1]) > _SMALLEST:
            factor = self._finest * 2 ** len(shapes)
            shapes.append(tuple(-(-length // factor) for length in opened.shape))
        return [(*leading, *shape) for shape in shapes]

    def _place(self, plane: PlaneResult, number: int) -> tuple[int, ...]:
        at = dict(zip(self.target.opened.axes, plane.index, strict=True)) | {"c": number}
        return tuple(at[axis] for axis in self._axes())

    def _metadata(self, shapes: list[tuple[int, ...]]) -> dict[str, Any]:
        size = self.target.opened.pixel_size
        unit = None if size is None else _UNITS.get(unit_symbol(size.unit))
        kinds = {"time": "time", "c": "channel", "z": "space"}
        axes: list[dict[str, Any]] = [
            {"name": "t" if axis == "time" else axis, "type": kinds[axis]} for axis in self._axes()
        ]
        axes += [
            {"name": axis, "type": "space", **({"unit": unit} if unit else {})} for axis in "yx"
        ]
        pixel = (1.0, 1.0) if size is None else (size.y, size.x)
        leading = shapes[0][:-2]
        scale, offset = (*(1.0 for _ in leading), *pixel), (0.0,) * len(shapes[0])
        full = (*leading, *self.target.opened.shape)
        datasets = [
            {
                "path": str(level),
                "coordinateTransformations": level_transforms(scale, offset, full, shape),
            }
            for level, shape in enumerate(shapes)
        ]
        multiscale = {"name": self.target.image.name, "axes": axes, "datasets": datasets}
        return {"version": "0.5", "multiscales": [multiscale]}

    def _write_windows(self) -> None:
        """Write names, colors and value ranges of the channels, which are known at the end."""
        import zarr
        from yaozarrs import v05

        lowest = np.min([each[:, 0] for each in self._limits], axis=0)
        highest = np.max([each[:, 1] for each in self._limits], axis=0)
        channels = [
            prompt_channel(prompt, limits, active=number == 0)
            for number, (prompt, *limits) in enumerate(
                zip(self.target.settings.prompts, lowest, highest, strict=True)
            )
        ]
        group = zarr.open_group(self.draft(self._file), mode="r+")
        known: Any = group.attrs.asdict()["ome"]
        about: Any = {**known, "omero": {"channels": channels}}
        v05.Image.model_validate(about)
        group.attrs["ome"] = about


def _chunks(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Yield the rows and columns of each chunk: memory never holds a level, or a row of chunks."""
    for top in range(0, height, MAP_CHUNK):
        for left in range(0, width, MAP_CHUNK):
            bottom, right = min(top + MAP_CHUNK, height), min(left + MAP_CHUNK, width)
            yield slice(top, bottom), slice(left, right)


OUTPUT = StoreOutput
