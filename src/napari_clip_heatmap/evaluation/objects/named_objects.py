"""True objects named by words, among the classes that an image shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.annotation.segmentation import connected
from napari_clip_heatmap.api import encode
from napari_clip_heatmap.evaluation.objects.found_objects import patch_area
from napari_clip_heatmap.evaluation.real import BLOOD_NAMES, read_boxes
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.pipeline.objects.object_scores import score_objects
from napari_clip_heatmap.scenes import CLASSES, draw

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = ["NamedObjects", "name_blood_cells", "name_drawn_objects"]

_SIDE = 256
_SHARED = 0.1
"""Fraction of an object's pixels from which another class has a claim to it too."""


@dataclass(frozen=True, slots=True)
class NamedObjects:
    """How many objects of each class were named right.

    Attributes
    ----------
    right, all : mapping of str to int
        Objects by true class.
    """

    right: Mapping[str, int]
    all: Mapping[str, int]

    @property
    def accuracy(self) -> float:
        """Objects named right over all objects; NaN where there are none."""
        total = sum(self.all.values())
        return sum(self.right.values()) / total if total else float("nan")

    @classmethod
    def count(cls, named: Iterable[tuple[str, str]]) -> NamedObjects:
        """Count pairs of true and given names."""
        pairs = tuple(named)
        classes = dict.fromkeys(true for true, _ in pairs)
        return cls(
            {name: sum(true == given == name for true, given in pairs) for name in classes},
            {name: sum(true == name for true, _ in pairs) for name in classes},
        )


def name_drawn_objects(
    model: ClipModel, *, n_scenes: int, seed: int, progress: Callable[[], None]
) -> NamedObjects:
    """Name the objects of drawn scenes that show two classes or more.

    An object is a connected area of a class, at least as large as a patch, of which no other class
    has more than a tenth: what belongs to two classes has no one right name.
    """
    named: list[tuple[str, str]] = []
    for number in range(n_scenes):
        scene = draw(seed + number, (_SIDE, _SIDE))
        encoding = encode(model, scene.image)
        layers = list(_drawn_objects(scene.masks, patch_area(encoding)))
        named += _name(encoding, layers)
        progress()
    return NamedObjects.count(named)


def name_blood_cells(model: ClipModel, folder: Path, progress: Callable[[], None]) -> NamedObjects:
    """Name the boxes of blood smears; each box is an object."""
    named: list[tuple[str, str]] = []
    for file, boxes in read_boxes(folder).items():
        image = read_image(folder / file)
        layers: list[tuple[str, NDArray[np.int32]]] = []
        for box in boxes:
            left, top, right, bottom = np.asarray(box["box"], int).clip(0)
            labels = np.zeros(image.shape[:2], np.int32)
            labels[top:bottom, left:right] = 1
            if labels.any():
                layers.append((BLOOD_NAMES[str(box["name"])], labels))
        named += _name(encode(model, image), layers)
        progress()
    return NamedObjects.count(named)


_Layer = tuple[str, NDArray[np.int32]]
"""Objects of one class: its name, and labels."""


def _drawn_objects(masks: Mapping[str, NDArray[np.bool_]], area: float) -> Iterator[_Layer]:
    for name, mask in masks.items():
        others = np.zeros_like(mask)
        for other, drawn in masks.items():
            if other != name:
                others |= drawn
        labels = connected(mask)
        pixels = np.bincount(labels.ravel())
        shared = np.bincount(labels[others], minlength=len(pixels))
        keep = (pixels >= area) & (shared <= _SHARED * pixels)
        keep[0] = False
        if keep.any():
            yield name, np.where(keep[labels], labels, 0)


def _name(encoding: Encoding, layers: list[_Layer]) -> Iterator[tuple[str, str]]:
    """Yield the true and the given name of each object; nothing where there is no choice."""
    present = [name for name in CLASSES if any(name == each for each, _ in layers)]
    if len(present) < 2:
        return
    for true, labels in layers:
        for given in score_objects(encoding, labels, present).best:
            yield true, given
