"""Images with the masks of what they show: drawn scenes, and a folder of real pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import ImageError, shorten
from napari_clip_heatmap.evaluation.meaning.known_images import (
    count_labeled,
    draw_known,
    read_labeled,
)
from napari_clip_heatmap.files.reading.image_file import read_image

__all__ = ["LabeledImage", "count_images", "read_images"]

INDEX = "micrographs/index.json"
"""List of pictures with ``file``, ``source``, ``truth`` (a label picture) and ``truth_legend``."""

PER_SOURCE = 8
"""Pictures of one source that are used, spread over its list: sources differ in length."""


@dataclass(frozen=True, eq=False)
class LabeledImage:
    """An image, and where each thing is in it.

    Parameters
    ----------
    kind : str
        Such as "real blood"; things of one kind and name are one row of the report.
    image : array (y, x) or (y, x, 3)
    masks : mapping of str to bool (y, x)
        By the word for the thing.
    """

    kind: str
    image: NDArray[Any]
    masks: Mapping[str, NDArray[np.bool_]]


def read_images(data: Path | None, n_scenes: int, seed: int) -> Iterator[LabeledImage]:
    """Yield drawn scenes, then the pictures of a folder.

    Parameters
    ----------
    data : Path or None
        With ``nuclei/``, ``blood/`` (see `evaluation.real`), or ``micrographs/index.json``.
    n_scenes, seed : int

    Raises
    ------
    ImageError
        The folder holds none of these, or a picture cannot be read.
    """
    for scene in draw_known(seed, n_scenes):
        yield LabeledImage("drawn", scene.image, scene.masks)
    if data is None:
        return
    for known in read_labeled(data):
        yield LabeledImage(known.kind, known.image, known.masks)
    for entry in _listed(data):
        yield _with_truth(data, entry)


def count_images(data: Path | None, n_scenes: int) -> int:
    """Return how many images `read_images` yields.

    Raises
    ------
    ImageError
        The folder holds no labeled pictures.
    """
    if data is None:
        return n_scenes
    found = count_labeled(data) + len(_listed(data))
    if not found:
        raise ImageError(
            f"'{shorten(data)}' holds no labeled images; accepted: nuclei/KIND_ID.png with "
            f"KIND_ID_labels.png, blood/boxes.json, or {INDEX} with 'truth' pictures"
        )
    return n_scenes + found


def _listed(data: Path) -> list[dict[str, Any]]:
    """Return the entries with a picture of the truth, a few of each source."""
    path = data / INDEX
    if not path.is_file():
        return []
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        usable = [each for each in entries if each.get("truth") and each.get("truth_legend")]
        by_source: dict[str, list[dict[str, Any]]] = {}
        for each in usable:
            by_source.setdefault(str(each["source"]), []).append(each)
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise ImageError(
            f"'{shorten(path)}' cannot be read ({shorten(error, 80)}); accepted: a list of "
            "objects with file, source, truth and truth_legend"
        ) from error
    return [
        of_source[number]
        for _, of_source in sorted(by_source.items())
        for number in _spread(len(of_source))
    ]


def _spread(count: int) -> list[int]:
    if count <= PER_SOURCE:
        return list(range(count))
    return [round(number) for number in np.linspace(0, count - 1, PER_SOURCE).tolist()]


def _with_truth(data: Path, entry: dict[str, Any]) -> LabeledImage:
    folder = (data / INDEX).parent
    labels = read_image(folder / entry["truth"])
    masks = {
        str(name).split(";")[0]: labels > 0 if value == ">0" else labels == int(value)
        for value, name in entry["truth_legend"].items()
    }
    return LabeledImage(str(entry["source"]), read_image(folder / entry["file"]), masks)
