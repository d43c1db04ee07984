"""Heatmaps against labeled real images, from a folder of the user's.

The folder holds ``nuclei/`` (``KIND_ID.png`` and ``KIND_ID_labels.png``, 0 = background) or
``blood/`` (``boxes.json``: file name -> list of ``{"name", "box": [x0, y0, x1, y1]}``), or both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.api import encode
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.evaluation.scores import Scores
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.scenes import CLASSES

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = [
    "BLOOD_NAMES",
    "blood_masks",
    "blood_names",
    "count_real",
    "evaluate_blood",
    "evaluate_nuclei",
    "label_pairs",
    "read_boxes",
]

BLOOD_NAMES = {"RBC": "red blood cells", "WBC": "white blood cells", "Platelets": "platelets"}
"""Name in ``boxes.json`` -> prompt."""


def label_pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Return the images of ``folder`` that have labels, each with its labels, sorted."""
    labels = sorted(folder.glob("*_labels.png"))
    return [(path.with_name(path.name.replace("_labels", "")), path) for path in labels]


def blood_names(folder: Path) -> dict[str, frozenset[str]]:
    """Return the classes of which each smear of ``folder`` has boxes, by file name."""
    return {
        file: frozenset(BLOOD_NAMES[str(box["name"])] for box in boxes)
        for file, boxes in read_boxes(folder).items()
    }


def count_real(data: Path) -> int:
    """Return how many images will be evaluated.

    Raises
    ------
    ImageError
        The folder has neither of the two.
    """
    count = len(label_pairs(data / "nuclei")) + len(read_boxes(data / "blood"))
    if not count:
        msg = (
            f"'{data}' holds no labeled images. Expected 'nuclei/KIND_ID.png' and "
            "'nuclei/KIND_ID_labels.png', or 'blood/boxes.json' with the images that it names."
        )
        raise ImageError(msg)
    return count


def evaluate_nuclei(model: ClipModel, folder: Path, progress: Callable[[], None]) -> Scores:
    """Return the AUROC of "nuclei", relative among all classes, by kind of image."""
    found: dict[str, list[float]] = {}
    for image, labels in label_pairs(folder):
        kind = image.name.split("_")[0]
        inside = read_image(labels) > 0
        values = encode(model, read_image(image)).heatmaps(CLASSES).values
        nuclei = values[CLASSES.index("nuclei")]
        found.setdefault(kind, []).append(auroc(nuclei[inside], nuclei[~inside]))
        progress()
    return Scores.collect(found)


def evaluate_blood(model: ClipModel, folder: Path, progress: Callable[[], None]) -> Scores:
    """Return the AUROC of each blood class, pixels in its boxes against the rest."""
    found: dict[str, list[float]] = {name: [] for name in BLOOD_NAMES.values()}
    for image, masks in blood_masks(folder):
        values = encode(model, image).heatmaps(CLASSES).values
        for name, inside in masks.items():
            own = values[CLASSES.index(name)]
            found[name].append(auroc(own[inside], own[~inside]))
        progress()
    return Scores.collect(found)


def blood_masks(folder: Path) -> Iterator[tuple[NDArray[Any], dict[str, NDArray[np.bool_]]]]:
    """Yield each smear of ``folder`` with the pixels in the boxes of each class that has some."""
    for file, boxes in read_boxes(folder).items():
        image = read_image(folder / file)
        yield image, dict(_masks(boxes, image.shape[:2]))


def read_boxes(folder: Path) -> dict[str, list[dict[str, object]]]:
    """Return the boxes of each smear of ``folder``, by file name; none without ``boxes.json``."""
    path = folder / "boxes.json"
    if not path.is_file():
        return {}
    boxes: dict[str, list[dict[str, object]]] = json.loads(path.read_text())
    return boxes


def _masks(
    boxes: list[dict[str, object]], size: tuple[int, int]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield each class that has boxes, and not the whole image, with the pixels in them."""
    for short, name in BLOOD_NAMES.items():
        inside = np.zeros(size, bool)
        for box in boxes:
            if box["name"] == short:
                left, top, right, bottom = np.asarray(box["box"], int).clip(0)
                inside[top:bottom, left:right] = True
        if inside.any() and not inside.all():
            yield name, inside
