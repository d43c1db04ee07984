"""napari's *File > Save* of a Labels layer as GeoJSON, which QuPath takes by drag and drop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_clip_heatmap.annotation.object_table import Table
from napari_clip_heatmap.errors import OutputError
from napari_clip_heatmap.files.object_formats import write_objects

__all__ = ["write_labels"]


@dataclass(frozen=True, eq=False)
class LayerObjects:
    """The objects of a Labels layer, by its own features."""

    labels: NDArray[Any]
    table: Table
    record: Mapping[str, Any] = field(default_factory=dict)


def write_labels(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Write the labels of a layer as polygons.

    Parameters
    ----------
    path : str
        Ends in ``.geojson``. napari has asked whether it may be replaced.
    data : integers (y, x)
    meta : mapping
        Of the layer, as napari gives it to writers: ``name`` and ``features`` count. A column
        ``prompt`` becomes the classification, else the layer's name does; numbers become
        measurements.

    Returns
    -------
    list of str
        What was written.

    Raises
    ------
    OutputError
        The labels are a stack or a pyramid, or the disk refuses.
    """
    if np.ndim(data) != 2 or isinstance(data, list | tuple):
        name = meta.get("name", "the layer")
        raise OutputError(
            f"GeoJSON holds outlines in one plane, and '{name}' is a stack or a pyramid; save it "
            "as .tif, or use Export in the section Annotate"
        )
    labels = np.asarray(data)
    table = _table(np.unique(labels[labels > 0]), meta)
    return [str(write_objects(Path(path), LayerObjects(labels, table), overwrite=True))]


def _table(numbers: NDArray[Any], meta: Mapping[str, Any]) -> Table:
    """Return a row for each label, with the layer's features where they say whose they are."""
    features = pd.DataFrame(meta.get("features", {}))
    by = next((name for name in ("label", "index") if name in features), None)
    if by is not None:  # napari's own rule: a column `index` names the label, else the row does
        features = features.drop_duplicates(by).set_index(by)
    rows = features.reindex(numbers)
    name = str(meta.get("name", "object"))
    prompts = rows["prompt"].fillna(name) if "prompt" in rows else [name] * len(numbers)
    columns = {"label": numbers, "prompt": np.asarray(prompts, object)}
    measured = rows.select_dtypes("number").dropna(axis="columns", how="any")
    columns |= {str(key): measured[key].to_numpy() for key in measured if key not in columns}
    return Table(columns)
