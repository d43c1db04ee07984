"""Real micrographs listed in an ``index.json``, and how their groups are divided into folds.

The index is a list of objects, one for each picture: ``file``, ``source``, ``group`` (pictures of
one specimen), ``modality``, ``classes`` and ``caption``; those with truth also have ``truth``,
``truth_kind`` and ``truth_legend``. Paths are relative to the folder of the index.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import ImageError, SettingsError
from napari_clip_heatmap.files.reading.image_file import read_image

__all__ = ["GroupFold", "Micrograph", "is_micrograph_folder", "read_micrographs", "truth_masks"]

_INDEX = "index.json"
_REQUIRED = ("file", "source", "group", "modality", "classes", "caption")


@dataclass(frozen=True)
class Micrograph:
    """One picture of the index.

    Attributes
    ----------
    path : Path
    source, group : str
        Where it is from, and which pictures of that source show the same specimen.
    modality : str
        Kind of microscopy.
    classes : tuple of str
        What it shows.
    caption : tuple of str
        Phrases that are true of it.
    truth : Path or None
        A label picture, or a JSON file of boxes.
    truth_kind : str
        "instance", "semantic", "boxes", or empty.
    legend : mapping of str to str
        Label, or ">0" for all labels, to what it marks.
    attribution : str
        Source, author and licence, for the model card.
    """

    path: Path
    source: str
    group: str
    modality: str
    classes: tuple[str, ...]
    caption: tuple[str, ...]
    truth: Path | None = None
    truth_kind: str = ""
    legend: Mapping[str, str] = field(default_factory=dict)
    attribution: str = ""


@dataclass(frozen=True, slots=True)
class GroupFold:
    """One of several parts of the micrographs; no specimen is in two of them.

    Parameters
    ----------
    number, count : int
        This fold, from 0, and how many there are.

    Raises
    ------
    SettingsError
        The number is not below the count, or the count is below 2.

    Examples
    --------
    >>> GroupFold.parse("1/4")
    GroupFold(number=1, count=4)
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        """Refuse folds that do not exist."""
        if not 0 <= self.number < self.count or self.count < 2:
            raise SettingsError(
                f"fold {self.number}/{self.count} does not exist; accepted: K/N with N of 2 or "
                "more and K from 0 to N - 1, such as 0/4"
            )

    @classmethod
    def parse(cls, text: str) -> GroupFold:
        """Return the fold that a text such as "0/4" names."""
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal()):
            raise SettingsError(f"fold is {text!r}; accepted: K/N, such as 0/4")
        return cls(int(number), int(count))

    def split(
        self, micrographs: Sequence[Micrograph]
    ) -> tuple[tuple[Micrograph, ...], tuple[Micrograph, ...]]:
        """Return the micrographs outside this fold, and those in it.

        The groups of a source are dealt out in turn, so that a source of several groups is in
        several folds.
        """
        groups: dict[str, list[str]] = {}
        for source, group in sorted({(each.source, each.group) for each in micrographs}):
            groups.setdefault(source, []).append(group)

        def is_inside(each: Micrograph) -> bool:
            turn = groups[each.source].index(each.group) + zlib.crc32(each.source.encode())
            return turn % self.count == self.number

        outside = tuple(each for each in micrographs if not is_inside(each))
        return outside, tuple(each for each in micrographs if is_inside(each))


def is_micrograph_folder(folder: Path) -> bool:
    """Return whether a folder has an index of micrographs."""
    return (folder / _INDEX).is_file()


def read_micrographs(folder: Path) -> tuple[Micrograph, ...]:
    """Return the micrographs that a folder's index lists, in its order.

    Raises
    ------
    ImageError
        There is no index, or an entry lacks something or names a picture that is not there.
    """
    path = folder / _INDEX
    if not path.is_file():
        raise ImageError(
            f"'{folder}' has no {_INDEX}; expected a list of pictures, each with "
            f"{', '.join(_REQUIRED)}"
        )
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ImageError(f"'{path}' is not a JSON file: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise ImageError(f"'{path}' is not a list of pictures")
    return tuple(_micrograph(folder, number, entry) for number, entry in enumerate(entries))


def truth_masks(micrograph: Micrograph, size: tuple[int, int]) -> dict[str, NDArray[np.bool_]]:
    """Return the pixels of each thing that a micrograph's truth marks, by its name.

    Names are classes of the micrograph where the legend's name is one or ends with one, as
    "secondary precipitate" does; legends that describe instead of naming are left out.
    """
    if micrograph.truth is None:
        return {}
    if micrograph.truth_kind == "boxes":
        return _box_masks(micrograph, size)
    labels = read_image(micrograph.truth)
    masks: dict[str, NDArray[np.bool_]] = {}
    for label, name in micrograph.legend.items():
        if ";" in name:
            continue
        known = [each for each in micrograph.classes if name.endswith(each)]
        own = labels > 0 if label == ">0" else labels == int(label)
        key = known[0] if known else name
        masks[key] = masks[key] | own if key in masks else own
    return masks


def _box_masks(micrograph: Micrograph, size: tuple[int, int]) -> dict[str, NDArray[np.bool_]]:
    boxes: dict[str, list[dict[str, Any]]] = json.loads(
        Path(str(micrograph.truth)).read_text(encoding="utf-8")
    )
    masks: dict[str, NDArray[np.bool_]] = {}
    for entry in boxes.get(micrograph.path.name, []):
        mask = masks.setdefault(str(entry["name"]), np.zeros(size, bool))
        left, top, right, bottom = np.asarray(entry["box"], int).clip(0)
        mask[top:bottom, left:right] = True
    return masks


def _micrograph(folder: Path, number: int, entry: object) -> Micrograph:
    where = f"picture {number} in '{folder / _INDEX}'"
    if not isinstance(entry, dict) or not all(name in entry for name in _REQUIRED):
        missing = _missing(entry) if isinstance(entry, dict) else list(_REQUIRED)
        raise ImageError(f"{where} lacks {', '.join(missing)}")
    path = folder / str(entry["file"])
    if not path.is_file():
        raise ImageError(f"{where} names '{path}', which is not there")
    truth = entry.get("truth")
    details = (entry["source"], entry.get("attribution"), entry.get("licence"))
    return Micrograph(
        path=path,
        source=str(entry["source"]),
        group=str(entry["group"]),
        modality=str(entry["modality"]),
        classes=tuple(map(str, entry["classes"])),
        caption=tuple(map(str, entry["caption"])),
        truth=None if truth is None else folder / str(truth),
        truth_kind=str(entry.get("truth_kind") or ""),
        legend=dict(entry.get("truth_legend") or {}),
        attribution=", ".join(str(each) for each in details if each),
    )


def _missing(entry: Collection[str]) -> list[str]:
    return [name for name in _REQUIRED if name not in entry]
