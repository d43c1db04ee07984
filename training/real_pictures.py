"""Real pictures with captions: crops of them at the scale at which the package looks at images.

A caption is true of the whole picture, and of a crop only perhaps. So several crops of a picture
are learnt from together, as one bag, of which the caption is true somewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.evaluation.micrographs.micrograph_index import Micrograph
from napari_clip_heatmap.evaluation.micrographs.related_classes import may_show
from napari_clip_heatmap.files.reading.image_file import read_image
from training.captions import TRUE, Content, with_implied
from training.lexicon import CLASS_OF, INDEX_NAMES

__all__ = ["RealPictures", "content_of"]

_ZOOM = (0.55, 1.6)
"""Smallest and largest scale of a crop."""


class RealPictures:
    """Draws crops of real pictures, each source and each specimen about as often as the others.

    Parameters
    ----------
    micrographs : sequence of Micrograph
    cache : Path
        File for the decoded pictures; made if it is not there.
    """

    def __init__(self, micrographs: Sequence[Micrograph], cache: Path) -> None:
        self._pixels, self._shapes, self._starts = _decoded(micrographs, cache)
        self.contents = [content_of(each) for each in micrographs]
        self._odds = _odds(micrographs)

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self.contents)

    def bag(
        self, rng: np.random.Generator, side: int, n_crops: int
    ) -> tuple[list[NDArray[np.uint8]], Content]:
        """Return square crops of one picture at one scale, turned and mirrored, and its content."""
        number = int(rng.choice(len(self), p=self._odds))
        picture = self.picture(number)
        zoom = float(np.exp(rng.uniform(*np.log(_ZOOM))))
        develop = _development(rng)
        crops = []
        for _ in range(n_crops):
            crop = _crop(rng, picture, side, zoom)
            if crop.shape[2] == 1:
                crop = np.repeat(crop, 3, 2)
            crops.append(develop[crop])
        return crops, self.contents[number]

    def picture(self, number: int) -> NDArray[np.uint8]:
        """Return a picture, (y, x, 1 or 3)."""
        shape, start = self._shapes[number], self._starts[number]
        return self._pixels[start : start + int(np.prod(shape))].reshape(shape)


def content_of(micrograph: Micrograph) -> Content:
    """Return what a picture shows, as its classes, its caption and its modality say.

    Stained blood is told from other brightfield by its cells. What nobody labels is unclear.
    """
    shown = [INDEX_NAMES[name] for name in micrograph.classes]
    spoken = [CLASS_OF.get(phrase.lower()) for phrase in micrograph.caption]
    shown += [name for name in dict.fromkeys(spoken) if name is not None and name not in shown]
    unclear = [INDEX_NAMES[name] for name in may_show(micrograph.classes) if name in INDEX_NAMES]
    is_blood = any("blood cell" in name or name == "platelets" for name in shown)
    modality = "smear" if is_blood else micrograph.modality
    present = with_implied(dict.fromkeys(shown, TRUE), unclear)
    return Content(present, {}, {}, modality, is_real_smear=is_blood)


def _odds(micrographs: Sequence[Micrograph]) -> NDArray[np.float64]:
    """Return how often each picture is drawn: sources by the root of their size, groups evenly."""
    sources = [each.source for each in micrographs]
    groups = [(each.source, each.group) for each in micrographs]
    n_groups = {source: len({g for g in groups if g[0] == source}) for source in set(sources)}
    weights = [
        sources.count(each.source) ** 0.5
        / n_groups[each.source]
        / groups.count((each.source, each.group))
        for each in micrographs
    ]
    return np.asarray(weights) / np.sum(weights)


def _decoded(
    micrographs: Sequence[Micrograph], cache: Path
) -> tuple[NDArray[np.uint8], list[tuple[int, int, int]], list[int]]:
    """Return the pixels of all pictures in one mapped file, their shapes and where they start."""
    names = json.dumps([str(each.path) for each in micrographs])
    path = cache.with_name(f"{cache.stem}-{hashlib.sha256(names.encode()).hexdigest()[:12]}.u8")
    listing = path.with_suffix(".json")
    if not listing.exists():
        shapes = []
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            for each in micrographs:
                picture = _eight_bit(read_image(each.path))
                shapes.append(picture.shape)
                file.write(picture.tobytes())
        partial.replace(path)
        listing.write_text(json.dumps(shapes))
    shapes = [tuple(shape) for shape in json.loads(listing.read_text())]
    starts = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)]).tolist()
    return np.memmap(path, np.uint8, "r"), shapes, starts


def _eight_bit(image: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Return (y, x, 1 or 3) uint8; pictures whose channels agree have one."""
    pixels = np.atleast_3d(np.asarray(image))[..., :3]
    if pixels.shape[2] == 3 and (pixels[..., :1] == pixels).all():
        pixels = pixels[..., :1]
    if pixels.dtype != np.uint8:
        low, high = np.percentile(pixels, (0.1, 99.9))
        scaled = (pixels.astype(np.float32) - low) / max(high - low, 1e-6)
        pixels = np.round(scaled.clip(0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(pixels)


def _crop(
    rng: np.random.Generator, picture: NDArray[np.uint8], side: int, zoom: float
) -> NDArray[np.uint8]:
    """Cut a square at random; a picture that is too small is mirrored at its borders."""
    wanted = max(8, round(side / zoom))
    height, width = picture.shape[:2]
    top = int(rng.integers(0, max(1, height - wanted + 1)))
    left = int(rng.integers(0, max(1, width - wanted + 1)))
    window = picture[top : top + wanted, left : left + wanted]
    missing = (wanted - window.shape[0], wanted - window.shape[1])
    if max(missing) > 0:
        window = np.pad(window, ((0, missing[0]), (0, missing[1]), (0, 0)), "symmetric")
    if wanted != side:
        method = cv2.INTER_AREA if wanted > side else cv2.INTER_LINEAR
        window = cv2.resize(window, (side, side), interpolation=method).reshape(side, side, -1)
    turned = np.rot90(window, rng.integers(4))
    return turned[:, :: rng.choice((-1, 1))]


def _development(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a table from gray value to gray value: another exposure, gamma and offset."""
    gain, gamma, lift = rng.uniform(0.7, 1.3), rng.uniform(0.7, 1.4), rng.uniform(-0.03, 0.05)
    levels = np.linspace(0, 1, 256)
    return np.round(np.clip(levels**gamma * gain + lift, 0, 1) * 255).astype(np.uint8)
