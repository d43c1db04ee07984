"""Labels as a TIFF, written tile by tile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import OutputError
from napari_clip_heatmap.files.object_formats._format import ObjectFormat
from napari_clip_heatmap.files.object_formats._replacing import replacing
from napari_clip_heatmap.imaging.resolution import unit_symbol

if TYPE_CHECKING:
    from napari_clip_heatmap.annotation.objects import ObjectSet

__all__ = ["FORMAT"]

_TILE = 512
_CLASSIC = 2**32 - 2**25
"""Bytes from which a TIFF needs 64-bit offsets."""


def _write(path: Path, objects: ObjectSet, *, source: str, overwrite: bool) -> None:
    """Write the labels in their own type, losslessly compressed; in OME-TIFF with 32 bits at most.

    ``.ome.tif`` tells the size of a pixel, where it is known; in a plain TIFF the description holds
    the record as JSON.
    """
    import tifffile

    labels = objects.labels
    is_ome = path.name.lower().endswith((".ome.tif", ".ome.tiff"))
    shape, dtype = tuple(labels.shape), _ome_type(objects) if is_ome else np.dtype(labels.dtype)
    is_big = prod(shape) * dtype.itemsize > _CLASSIC
    with (
        replacing(path, overwrite=overwrite) as draft,
        tifffile.TiffWriter(draft, bigtiff=is_big, ome=is_ome) as tiff,
    ):
        tiff.write(
            _tiles(labels, dtype),
            shape=shape,
            dtype=dtype,
            tile=(_TILE, _TILE),
            compression="zlib",
            photometric="minisblack",
            metadata=_ome(objects) if is_ome else _described(objects, source),
        )


def _ome_type(objects: ObjectSet) -> np.dtype[Any]:
    """Return the type of the labels, or the largest that OME-TIFF has where that holds them."""
    dtype: np.dtype[Any] = np.dtype(objects.labels.dtype)
    if dtype.itemsize <= 4:
        return dtype
    highest = max(objects.table["label"].tolist(), default=0)
    if highest > np.iinfo(np.uint32).max:
        raise OutputError(
            f"OME-TIFF holds labels up to {np.iinfo(np.uint32).max}, and there is {highest}; write "
            "a plain .tif, or renumber the labels"
        )
    return np.dtype(np.uint32)


def _tiles(labels: Any, dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    """Yield tiles in the order of the file; labels are read a row of tiles at a time."""
    height, width = labels.shape[-2:]
    for plane in np.ndindex(labels.shape[:-2]):
        for top in range(0, height, _TILE):
            rows = np.asarray(labels[(*plane, slice(top, top + _TILE))])
            for left in range(0, width, _TILE):
                tile = rows[:, left : left + _TILE]
                missing = [(0, _TILE - length) for length in tile.shape]
                yield np.pad(tile, missing).astype(dtype, order="C", copy=False)


def _described(objects: ObjectSet, source: str) -> dict[str, Any]:
    record = {**objects.record, "source": source}
    return {"clip_heatmap": json.loads(json.dumps(record, default=str))}


def _ome(objects: ObjectSet) -> dict[str, Any]:
    axes = "TZYX"[-len(objects.labels.shape) :]
    size = objects.record.get("pixel_size")
    if size is None:
        return {"axes": axes}
    y, x = size
    unit = unit_symbol(objects.record["unit"])
    return {
        "axes": axes,
        "PhysicalSizeY": y,
        "PhysicalSizeX": x,
        "PhysicalSizeYUnit": unit,
        "PhysicalSizeXUnit": unit,
    }


FORMAT = ObjectFormat((".tif", ".tiff", ".ome.tif", ".ome.tiff"), _write)
