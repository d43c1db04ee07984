"""Objects as files: one module a format, each found by itself.

A format is a module of this folder, whose name does not begin with ``_``, with an `ObjectFormat`
called ``FORMAT``. Adding a format touches no other file.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from napari_clip_heatmap.errors import OutputError
from napari_clip_heatmap.files.object_formats._format import ObjectFormat

if TYPE_CHECKING:
    from napari_clip_heatmap.annotation.objects import ObjectSet

__all__ = ["object_suffixes", "write_objects"]


def write_objects(
    path: str | Path, objects: ObjectSet, *, source: str | Path = "", overwrite: bool = False
) -> Path:
    """Write objects to a file, in the format that its name ends with.

    Parameters
    ----------
    path : str or Path
        ``.csv`` and ``.parquet`` (the table); ``.geojson`` (polygons in image pixels, as QuPath
        takes them); ``.ome.zarr`` (``labels/PROMPT`` next to the image that lies there); ``.tif``
        and ``.ome.tif`` (the labels).
    objects : Objects or ObjectScores
        From `Heatmaps.objects`, `Heatmaps.winner_objects` or `score_objects`.
    source : str or Path
        What the image is called, where the format has room for it.
    overwrite : bool
        Whether a file, or in an OME-Zarr the labels of the same prompts, may be replaced.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    OutputError
        The ending is not known, the name is taken, the format cannot hold the objects, or the disk
        refuses; what was there still is.

    Examples
    --------
    >>> nch.write_objects("nuclei.geojson", maps.objects("nuclei"), source="slide.svs")
    PosixPath('nuclei.geojson')
    """
    path = Path(path)
    formats = _formats()
    name = path.name.lower()
    fitting = [suffix for suffix in formats if name.endswith(suffix) and name != suffix]
    if not fitting:
        raise OutputError(
            f"'{path.name}' has no ending that objects are written to; accepted: "
            f"{', '.join(sorted(formats))}"
        )
    formats[max(fitting, key=len)].write(path, objects, source=str(source), overwrite=overwrite)
    return path


def object_suffixes() -> tuple[str, ...]:
    """Return the ends of file names that `write_objects` takes, such as ".geojson"."""
    return tuple(sorted(_formats()))


def _formats() -> dict[str, ObjectFormat]:
    names = sorted(found.name for found in iter_modules(__path__) if not found.name.startswith("_"))
    formats: list[ObjectFormat] = [import_module(f"{__name__}.{name}").FORMAT for name in names]
    return {suffix: each for each in formats for suffix in each.suffixes}
