"""Images of the user's own for a calibration, with the names of what they show."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from napari_clip_heatmap.errors import SettingsError, shorten
from napari_clip_heatmap.evaluation.meaning.known_images import (
    KnownImage,
    count_labeled,
    read_labeled,
)
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.scenes.vocabulary import NAMES

__all__ = ["read_known_folder", "read_negatives"]

_HOW = (
    "give present.csv with lines 'file,nuclei|membranes', index.json with "
    '[{"file": ..., "classes": [...]}], nuclei/ and blood/ as evaluate --data takes them; or '
    "--negatives for images that show none of the names"
)

_SUFFIXES = {".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".npy"}


def read_known_folder(folder: Path) -> list[KnownImage]:
    """Read all images of a folder that says what they show.

    A name that is listed for one image is absent from every other image it is not listed for.

    Parameters
    ----------
    folder : Path
        With ``present.csv``, ``index.json``, or ``nuclei/`` and ``blood/``.

    Raises
    ------
    SettingsError
        Nothing says what the images show, or the list cannot be read.
    ImageError
        An image cannot be read.
    """
    listed = {name: names for name, names in _listed(folder) if names}
    if not listed:
        if count_labeled(folder):
            return list(read_labeled(folder))
        raise SettingsError(
            f"nothing in {folder} says what its images show, and an image whose content is not "
            f"known calibrates nothing; {_HOW}"
        )
    every = tuple(dict.fromkeys(name for names in listed.values() for name in names))
    return [
        KnownImage(
            "own images",
            read_image(folder / file),
            names,
            tuple(name for name in every if name not in names),
        )
        for file, names in listed.items()
    ]


def read_negatives(folder: Path) -> list[KnownImage]:
    """Read images that show nothing of what the drawn scenes show.

    Raises
    ------
    SettingsError
        There are no images.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    if not files:
        raise SettingsError(f"there are no images in {folder}; accepted: {', '.join(_SUFFIXES)}")
    absent = tuple(name for names in NAMES.values() for name in names)
    return [KnownImage("own negatives", read_image(path), (), absent) for path in files]


def _listed(folder: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    table, index = folder / "present.csv", folder / "index.json"
    try:
        if table.is_file():
            with table.open(encoding="utf-8", newline="") as stream:
                for row in csv.reader(stream):
                    if len(row) == 2 and (folder / row[0]).is_file():
                        yield row[0], _split(row[1].split("|"))
        elif index.is_file():
            for entry in json.loads(index.read_text(encoding="utf-8")):
                yield str(entry["file"]), _split(map(str, entry["classes"]))
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise SettingsError(
            f"the list in {folder} cannot be read ({shorten(error, 80)}); {_HOW}"
        ) from error


def _split(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))
