"""The objects of all planes of an image together, numbered through, as one stack of labels."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.annotation.object_table import Table
from napari_clip_heatmap.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_clip_heatmap.annotation.objects import Objects
    from napari_clip_heatmap.batch.inputs.batch_image import BatchImage

__all__ = ["StackedObjects", "objects_of_planes", "require_room"]

_ROOM = 2**28
"""Labels of one prompt in all planes that are kept until the last plane is done."""


@dataclass(frozen=True, eq=False)
class StackedObjects:
    """Objects of several planes.

    Parameters
    ----------
    labels : int32 (*axes, y, x)
    table : Table
        With a column for each axis; labels are numbered through.
    record : mapping
        How the objects of the first plane were made.
    """

    labels: NDArray[np.int32]
    table: Table
    record: Any


def require_room(opened: BatchImage) -> None:
    """Raise unless the labels of all planes of an image fit into memory together.

    Raises
    ------
    SettingsError

    Examples
    --------
    >>> require_room(opened)  # doctest: +SKIP
    """
    if prod((opened.n_planes, *opened.shape)) > _ROOM:
        raise SettingsError(
            "labels of all planes do not fit into memory together; write --format tif, "
            "or fewer planes at a time"
        )


def objects_of_planes(
    opened: BatchImage, planes: Sequence[Objects], order: Sequence[str]
) -> StackedObjects:
    """Return the objects of all planes of an image.

    Parameters
    ----------
    opened : BatchImage
    planes : sequence of Objects
        In the order of `opened.planes`.
    order : sequence of str
        The axes of the image before y and x, in the order that the labels get.

    Examples
    --------
    >>> objects_of_planes(opened, planes, ["time", "z"]).labels.shape  # doctest: +SKIP
    (5, 3, 90, 130)
    """
    labels = np.zeros((*opened.lengths, *opened.shape), np.int32)
    tables, first = [], 0
    for index, objects in zip(opened.planes, planes, strict=True):
        labels[index] = np.where(objects.labels > 0, objects.labels + first, 0)
        columns = dict(objects.table.columns)
        columns["label"] = columns["label"] + first
        for axis, at in zip(opened.axes, index, strict=True):
            columns[axis] = np.full(len(objects), at)
        tables.append(columns)
        first += len(objects)
    table = Table({name: np.concatenate([each[name] for each in tables]) for name in tables[0]})
    turned = np.moveaxis(labels, [opened.axes.index(axis) for axis in order], range(len(order)))
    return StackedObjects(turned, table, planes[0].record)
