"""Objects found by words, against true ones: on drawn scenes, and on real nuclei."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.annotation.segmentation import connected
from napari_clip_heatmap.api import encode
from napari_clip_heatmap.evaluation.objects.matching import (
    MatchCounts,
    compare_objects,
    oracle_objects,
)
from napari_clip_heatmap.evaluation.real import label_pairs
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.scenes import CLASSES, draw

if TYPE_CHECKING:
    from napari_clip_heatmap.annotation.thresholds import Threshold
    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.heatmaps import Heatmaps

__all__ = ["FoundObjects", "find_drawn_objects", "find_nuclei", "patch_area"]

_SIDE = 256


@dataclass(frozen=True, slots=True)
class FoundObjects:
    """MatchCounts by class or kind of image.

    Attributes
    ----------
    found : mapping of str to MatchCounts
        What a threshold on the heatmap gives.
    by_image : mapping of str to MatchCounts
        The same, with the outlines that the image has.
    oracle : mapping of str to MatchCounts
        The best that the patch lattice allows; see `oracle_objects`.
    """

    found: Mapping[str, MatchCounts]
    by_image: Mapping[str, MatchCounts]
    oracle: Mapping[str, MatchCounts]


def patch_area(encoding: Encoding) -> float:
    """Return the image pixels that a patch covers."""
    y, x = encoding.lattice.y, encoding.lattice.x
    return y.patch * x.patch * (y.image / y.working) * (x.image / x.working)


def find_drawn_objects(
    model: ClipModel, *, n_scenes: int, seed: int, progress: Callable[[], None]
) -> FoundObjects:
    """Find the objects of each class that a drawn scene shows, among all classes.

    A true object is a connected area of the class, at least as large as a patch.
    """
    collected = _Collected()
    for number in range(n_scenes):
        scene = draw(seed + number, (_SIDE, _SIDE))
        encoding = encode(model, scene.image)
        maps = encoding.heatmaps(CLASSES)
        for name, mask in scene.masks.items():
            true = _large(connected(mask), patch_area(encoding))
            if true.any():
                collected.add(name, maps, name, scene.image, true, split="none")
        progress()
    return collected.result()


def find_nuclei(
    model: ClipModel, folder: Path, progress: Callable[[], None], *, threshold: Threshold = "otsu"
) -> FoundObjects:
    """Find nuclei on real images, by kind of image, touching ones separated."""
    collected = _Collected()
    for image, labels in label_pairs(folder):
        pixels, true = read_image(image), read_image(labels)
        maps = encode(model, pixels).heatmaps(CLASSES)
        kind = image.name.split("_")[0]
        collected.add(kind, maps, "nuclei", pixels, true, split="watershed", threshold=threshold)
        progress()
    return collected.result()


class _Collected:
    """Agreements of image after image."""

    def __init__(self) -> None:
        self.found: dict[str, list[MatchCounts]] = {}
        self.by_image: dict[str, list[MatchCounts]] = {}
        self.oracle: dict[str, list[MatchCounts]] = {}

    def add(
        self,
        name: str,
        maps: Heatmaps,
        prompt: str,
        image: NDArray[Any],
        true: NDArray[Any],
        *,
        split: str,
        threshold: Threshold = "otsu",
    ) -> None:
        """Compare one image's objects, and the oracle's, with the truth."""
        area = patch_area(maps.encoding)
        for collected, pixels in ((self.found, None), (self.by_image, image)):
            objects = maps.objects(
                prompt, threshold, min_area=area, split=split, fill_holes=True, image=pixels
            )
            collected.setdefault(name, []).append(compare_objects(objects.labels, true))
        best = oracle_objects(true, maps.encoding.lattice)
        self.oracle.setdefault(name, []).append(compare_objects(best, true))

    def result(self) -> FoundObjects:
        """Return the sums over images."""
        found, by_image, oracle = (
            {name: MatchCounts.total(each) for name, each in collected.items()}
            for collected in (self.found, self.by_image, self.oracle)
        )
        return FoundObjects(found, by_image, oracle)


def _large(labels: NDArray[np.int32], area: float) -> NDArray[np.int32]:
    keep = np.bincount(labels.ravel()) >= area
    keep[0] = False
    return np.where(keep[labels], labels, 0)
