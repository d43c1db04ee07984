"""The formats of objects, as a file dialog lists them."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QWidget

from napari_clip_heatmap._napari.views.file_choice import choose_file
from napari_clip_heatmap.files.object_formats import object_suffixes

__all__ = ["choose_objects_file", "object_filters", "with_suffix"]

NAMES = {
    ".csv": "Table",
    ".parquet": "Table",
    ".geojson": "Polygons for QuPath",
    ".ome.zarr": "OME-Zarr labels",
    ".tif": "TIFF labels",
}
"""In the order of the list; formats that are added later follow under their own ending."""


def choose_objects_file(parent: QWidget, chosen: Callable[[str], object], name: str) -> None:
    """Ask where to save objects, and as what; see `choose_file`.

    Parameters
    ----------
    parent : QWidget
    chosen : callable(str)
        Called with the path, which ends as the chosen format.
    name : str
        Name to begin with.
    """
    filters = object_filters()

    def hand_on(path: str) -> None:
        chosen(with_suffix(path, filters.get(dialog.selectedNameFilter(), "")))

    dialog = choose_file(
        parent, "Export objects", hand_on, filters=";;".join(filters), save_as=name
    )


def object_filters() -> dict[str, str]:
    """Return each line of the dialog with the ending that it stands for."""
    suffixes = object_suffixes()
    ordered = [*(each for each in NAMES if each in suffixes)]
    ordered += [each for each in suffixes if each not in NAMES and not each.endswith(".tif")]
    return {f"{NAMES.get(each, 'Objects')} (*{each})": each for each in ordered}


def with_suffix(path: str, suffix: str) -> str:
    """Return a path that ends in a known way: by itself, or with the ending of the chosen line."""
    known = any(path.lower().endswith(each) for each in object_suffixes())
    return path if known else path + suffix
