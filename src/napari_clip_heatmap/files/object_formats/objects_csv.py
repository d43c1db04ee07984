"""The table of objects as text, a row an object."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap.files.object_formats._format import ObjectFormat
from napari_clip_heatmap.files.object_formats._replacing import replacing

if TYPE_CHECKING:
    from napari_clip_heatmap.annotation.objects import ObjectSet

__all__ = ["FORMAT"]


def _write(path: Path, objects: ObjectSet, *, source: str, overwrite: bool) -> None:
    """Write the table with a header, UTF-8; a number that is not known is left empty."""
    names, more = (("source",), (source,)) if source else ((), ())
    with (
        replacing(path, overwrite=overwrite) as draft,
        draft.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow((*objects.table.names, *names))
        for row in objects.table.rows():
            writer.writerow((*map(_cell, row.values()), *more))


def _cell(value: Any) -> Any:
    return "" if isinstance(value, float) and math.isnan(value) else value


FORMAT = ObjectFormat((".csv",), _write)
