"""Objects as polygons in GeoJSON, as QuPath takes them by drag and drop."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import groupby
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.annotation.palette import distinct_color
from napari_clip_heatmap.annotation.polygons import Polygon, label_polygons
from napari_clip_heatmap.errors import OutputError
from napari_clip_heatmap.files.object_formats._format import ObjectFormat
from napari_clip_heatmap.files.object_formats._replacing import replacing

if TYPE_CHECKING:
    from napari_clip_heatmap.annotation.objects import ObjectSet

__all__ = ["FORMAT"]


def _write(path: Path, objects: ObjectSet, *, source: str, overwrite: bool) -> None:
    """Write one feature per object: x and y in image pixels, of which the first spans 0 to 1.

    The prompt is the classification, numbers of the table are measurements, and the feature's
    metadata name the source, the model and the score. Neighbors share their edges exactly.

    Raises
    ------
    OutputError
        The labels are a stack.
    """
    if len(objects.labels.shape) != 2:
        raise OutputError(
            f"GeoJSON holds outlines in one plane, and the labels have the shape "
            f"{tuple(objects.labels.shape)}; write a plane at a time, or a .tif"
        )
    with replacing(path, overwrite=overwrite) as draft, draft.open("w", encoding="utf-8") as stream:
        stream.write('{"type": "FeatureCollection", "features": [')
        for number, feature in enumerate(_features(objects, source)):
            stream.write(",\n" if number else "\n")
            json.dump(feature, stream, ensure_ascii=False, allow_nan=False)
        stream.write("\n]}\n")


def _features(objects: ObjectSet, source: str) -> Iterator[dict[str, Any]]:
    rows = {row["label"]: row for row in objects.table.rows()}
    colors = {name: distinct_color(n) for n, name in enumerate(_prompts(objects))}
    model = objects.record.get("model", {})
    metadata = {
        "source": source,
        "model": str(model.get("name", "")),
        "score": str(objects.record.get("score", "")),
    }
    polygons = sorted(label_polygons(np.asarray(objects.labels)), key=lambda each: each.label)
    for label, parts in groupby(polygons, key=lambda each: each.label):
        if label not in rows:
            continue
        row = rows[label]
        yield {
            "type": "Feature",
            "geometry": _geometry(list(parts)),
            "properties": {
                "objectType": "annotation",
                "classification": {"name": row["prompt"], "color": list(colors[row["prompt"]])},
                "measurements": {name: row[name] for name in row if _is_number(row[name])},
                "metadata": {key: text for key, text in metadata.items() if text},
            },
        }


def _prompts(objects: ObjectSet) -> tuple[str, ...]:
    named = dict.fromkeys(str(prompt) for prompt in objects.record.get("prompts", ()))
    return tuple(named | dict.fromkeys(objects.table["prompt"].tolist()))


def _geometry(parts: list[Polygon]) -> dict[str, Any]:
    rings = [[_ring(part.shell), *map(_ring, part.holes)] for part in parts]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings[0]}
    return {"type": "MultiPolygon", "coordinates": rings}


def _ring(corners: NDArray[np.int64]) -> list[list[int]]:
    closed: list[list[int]] = np.concatenate([corners, corners[:1]])[:, ::-1].tolist()
    return closed


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


FORMAT = ObjectFormat((".geojson",), _write)
