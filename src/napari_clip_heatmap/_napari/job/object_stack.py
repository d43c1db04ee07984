"""Objects of several planes and prompts as one label image with one table: what a layer holds."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap._napari.annotation_state import SliceFigures
from napari_clip_heatmap._napari.job.object_work import WINNERS
from napari_clip_heatmap.annotation.object_table import Table
from napari_clip_heatmap.errors import ImageError, OutputError

if TYPE_CHECKING:
    from napari_clip_heatmap._napari.job.object_work import ObjectRequest
    from napari_clip_heatmap.annotation.objects import Objects

__all__ = [
    "LARGEST_STACK_BYTES",
    "ObjectStack",
    "in_one_stack",
    "slice_figures",
    "stack_objects",
    "write_slice_figures",
]

Index = tuple[int, ...]

Found = Mapping[Index, Mapping[str, "Objects"]]

LARGEST_STACK_BYTES = 4 * 2**30
"""Labels of a stack that are made in memory."""


@dataclass(frozen=True, eq=False)
class ObjectStack:
    """Objects of one layer; it can be written by `write_objects`.

    Parameters
    ----------
    name : str
        The prompt, or what the objects of all prompts are called.
    key : str
        Of the prompt's row, or `WINNERS`.
    labels : int32 (*leading, y, x)
        Numbered over all planes; each pixel is `factor` image pixels wide.
    table : Table
        One row per object; a column per leading axis says in which plane it lies.
    notes : tuple of str
    record : mapping
    factor : int
    planes : tuple of tuple of int
        Those that were looked at; other planes are 0.
    """

    name: str
    key: str
    labels: NDArray[np.int32]
    table: Table
    notes: tuple[str, ...]
    record: Mapping[str, Any]
    factor: int
    planes: tuple[Index, ...]

    def at_image_pixels(self, shape: tuple[int, int]) -> ObjectStack:
        """Return the same with labels at image pixels."""
        if self.factor == 1:
            return self
        _check_size((*self.labels.shape[:-2], *shape))
        labels = self.labels.repeat(self.factor, axis=-2)[..., : shape[0], :]
        fine = labels.repeat(self.factor, axis=-1)[..., : shape[1]]
        return ObjectStack(**{**vars(self), "labels": fine, "factor": 1})


def stack_objects(
    request: ObjectRequest, found: Found, key: str, axes: Sequence[str]
) -> ObjectStack:
    """Return the objects of one row in all planes.

    Parameters
    ----------
    request : ObjectRequest
    found : mapping
        As `ObjectRequest.find` returns it.
    key : str
    axes : sequence of str
        Names of the axes before y and x.

    Raises
    ------
    ImageError
        The labels would not fit into memory.
    """
    planes = {index: objects[key] for index, objects in found.items()}
    labels = _blank(request)
    parts, count = [], 0
    for index, objects in planes.items():
        labels[index] = np.where(objects.labels > 0, objects.labels + np.int32(count), 0)
        parts.append(_numbered(objects.table, count, index, axes))
        count += len(objects)
    return ObjectStack(
        name="winning prompts" if key == WINNERS else request.prompt_of(key),
        key=key,
        labels=labels,
        table=_joined(parts),
        notes=tuple(dict.fromkeys(note for each in planes.values() for note in each.notes)),
        record=next(iter(planes.values())).record,
        factor=request.factor,
        planes=tuple(planes),
    )


def in_one_stack(request: ObjectRequest, found: Found, axes: Sequence[str]) -> ObjectStack:
    """Return the objects of all rows as one label image.

    Where objects of two prompts overlap, a pixel belongs to the one whose map is further above its
    threshold, in units of what the map rises above it. An object of which nothing is left is left
    out.
    """
    if len(request.keys) == 1 or next(iter(found.values())).keys() == {WINNERS}:
        return stack_objects(request, found, next(iter(next(iter(found.values())))), axes)
    labels = _blank(request)
    parts, count = [], 0
    for index, by_key in found.items():
        plane, tables = labels[index], []
        height = np.full(plane.shape, -np.inf, np.float32)
        for key, objects in by_key.items():
            own = _height(request, key, index, objects)
            wins = (objects.labels > 0) & (own > height)
            plane[wins] = objects.labels[wins] + np.int32(count)
            height[wins] = own[wins]
            tables.append(_numbered(objects.table, count, index, axes))
            count += len(objects)
        parts += tables
    table = _joined(parts)
    return ObjectStack(
        name="objects",
        key="",
        labels=labels,
        table=table.where(np.isin(table["label"], np.unique(labels))),
        notes=tuple(
            dict.fromkeys(n for each in found.values() for o in each.values() for n in o.notes)
        ),
        record={**request.record, "prompts": [request.prompt_of(key) for key in request.keys]},
        factor=request.factor,
        planes=tuple(found),
    )


def slice_figures(
    request: ObjectRequest, found: Found, axes: Sequence[str]
) -> Iterator[SliceFigures]:
    """Yield count and area along the first leading axis, for each prompt; nothing of one plane."""
    positions = sorted({index[0] for index in found if index})
    if len(positions) < 2:
        return
    prompts = [request.prompt_of(key) for key in request.keys]
    for prompt in prompts:
        counts = dict.fromkeys(positions, 0)
        areas = dict.fromkeys(positions, 0.0)
        for index, by_key in found.items():
            for objects in by_key.values():
                own = objects.table["prompt"] == prompt
                counts[index[0]] += int(own.sum())
                areas[index[0]] += float(objects.table["area"][own].sum())
        yield SliceFigures(
            prompt, axes[0], tuple(positions), tuple(counts.values()), tuple(areas.values())
        )


def write_slice_figures(path: str | Path, figures: Sequence[SliceFigures]) -> None:
    """Write count and area per slice and prompt as CSV.

    Raises
    ------
    OutputError
        The disk refuses.
    """
    try:
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("prompt", figures[0].axis if figures else "slice", "count", "area"))
            for each in figures:
                rows = zip(each.positions, each.counts, each.areas, strict=True)
                writer.writerows((each.prompt, *row) for row in rows)
    except OSError as error:
        raise OutputError(f"'{path}' was not written: {error.strerror or error}") from error


def _blank(request: ObjectRequest) -> NDArray[np.int32]:
    stack = request.result.stack
    shape = [-(-length // request.factor) for length in stack.lattice.image_shape]
    whole = (*stack.leading, *shape)
    _check_size(whole)
    return np.zeros(whole, np.int32)


def _check_size(shape: tuple[int, ...]) -> None:
    if 4 * prod(shape) > LARGEST_STACK_BYTES:
        raise ImageError(
            f"labels of shape {shape} would take {4 * prod(shape) / 2**30:.0f} GB of memory, and "
            f"at most {LARGEST_STACK_BYTES // 2**30} GB are used; cut the stack into parts, or "
            "write objects with the command line"
        )


def _height(
    request: ObjectRequest, key: str, index: Index, objects: Objects
) -> NDArray[np.float32]:
    """Return how far a map is above its threshold, 0 to 1; a filled hole is at 0."""
    values = request.prompt_map(key, index).values
    limit = objects.record["limit"]
    top = np.fmax.reduce(values, axis=None)
    if limit is None or not top > limit:
        return np.zeros_like(values)
    height = np.nan_to_num(np.maximum((values - limit) / (top - limit), 0))
    return np.asarray(height, np.float32)


def _numbered(table: Table, count: int, index: Index, axes: Sequence[str]) -> Table:
    place = {
        axis: np.full(len(table), position) for axis, position in zip(axes, index, strict=True)
    }
    return Table(
        {
            "label": table["label"] + np.int32(count),
            "prompt": table["prompt"],
            **place,
            **{name: table[name] for name in table.names[2:]},
        }
    )


def _joined(parts: Sequence[Table]) -> Table:
    if len(parts) == 1:
        return parts[0]
    return Table({name: np.concatenate([part[name] for part in parts]) for name in parts[0].names})
