"""The table of objects as Parquet, with where they come from in its metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from napari_clip_heatmap.errors import OutputError
from napari_clip_heatmap.files.object_formats._format import ObjectFormat
from napari_clip_heatmap.files.object_formats._replacing import replacing

if TYPE_CHECKING:
    from napari_clip_heatmap.annotation.objects import ObjectSet

__all__ = ["FORMAT"]


def _write(path: Path, objects: ObjectSet, *, source: str, overwrite: bool) -> None:
    """Write the table; the record is JSON under the key ``clip_heatmap`` of the schema.

    Raises
    ------
    OutputError
        PyArrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise OutputError(
            f"'{path.name}' needs the package pyarrow, which is not installed here; install it, or "
            "write .csv"
        ) from error
    record = json.dumps({**objects.record, "source": source}, default=str)
    table = pyarrow.table(dict(objects.table.columns))
    table = table.replace_schema_metadata({"clip_heatmap": record})
    with replacing(path, overwrite=overwrite) as draft:
        pyarrow.parquet.write_table(table, draft)


FORMAT = ObjectFormat((".parquet",), _write)
