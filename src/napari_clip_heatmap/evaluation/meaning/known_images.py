"""Images of which it is known what they show and what they do not, drawn and real."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.evaluation.real import BLOOD_NAMES, label_pairs, read_boxes
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.imaging.opencv import cv2
from napari_clip_heatmap.scenes import CLASSES, draw
from napari_clip_heatmap.scenes.vocabulary import BLOOD_CLASSES, CELL_CLASSES, NAMES

__all__ = [
    "KnownImage",
    "blank_pictures",
    "count_labeled",
    "draw_known",
    "noise_fields",
    "read_labeled",
]

VISIBLE = 0.005
"""Fraction of a scene's pixels from which a class counts as present; absent means 0."""

# What is really there, but not labeled, is neither present nor absent.
_UNLABELED = {
    "drawn smear": {"nuclei"},  # white blood cells have them
    "real fluorescence": set(),
    "real stained": {"red blood cells", "white blood cells", "membranes", "filaments"},
    "real brightfield": {"membranes", "filaments"},
    "real blood": {"nuclei", "membranes", "platelets"},  # boxes miss platelets
}


@dataclass(frozen=True, eq=False)
class KnownImage:
    """An image, and what is known of its content.

    Parameters
    ----------
    kind : str
        Such as "drawn smear" or "real blood".
    image : array (y, x) or (y, x, 3)
    present, absent : tuple of str
        Names of what is there, and of what is certainly not.
    classes : tuple of str
        The classes that are there.
    masks : mapping of str to bool (y, x)
        Where each class is, as far as that is known.
    colors : mapping of str to str
        Class to the word for its color, in drawn fluorescence.
    """

    kind: str
    image: NDArray[Any]
    present: tuple[str, ...]
    absent: tuple[str, ...]
    classes: tuple[str, ...] = ()
    masks: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    colors: dict[str, str] = field(default_factory=dict)


def _known(
    kind: str,
    image: NDArray[Any],
    there: set[str],
    missing: set[str],
    masks: dict[str, NDArray[np.bool_]],
    colors: dict[str, str] | None = None,
) -> KnownImage:
    absent = missing - _UNLABELED.get(kind, set())
    return KnownImage(
        kind,
        image,
        _names(there),
        _names(absent),
        tuple(name for name in CLASSES if name in there),
        masks,
        colors or {},
    )


def _names(classes: set[str]) -> tuple[str, ...]:
    return tuple(name for each in CLASSES if each in classes for name in NAMES[each])


def draw_known(seed: int, count: int, side: int = 256) -> Iterator[KnownImage]:
    """Draw scenes with seeds from `seed` on.

    Parameters
    ----------
    seed, count : int
    side : int
        Height and width, in pixels.
    """
    for number in range(seed, seed + count):
        scene = draw(number, (side, side))
        seen = {name: float(mask.mean()) for name, mask in scene.masks.items()}
        yield _known(
            f"drawn {scene.modality}",
            scene.image,
            {name for name, fraction in seen.items() if fraction >= VISIBLE},
            {name for name in CLASSES if not seen.get(name)},
            dict(scene.masks),
            dict(scene.colors),
        )


def count_labeled(data: Path) -> int:
    """Return how many images `read_labeled` yields."""
    return len(label_pairs(data / "nuclei")) + len(read_boxes(data / "blood"))


def read_labeled(data: Path) -> Iterator[KnownImage]:
    """Read the images of a folder as `evaluate --data` takes it, with what their labels say.

    Parameters
    ----------
    data : Path
        With ``nuclei/`` or ``blood/``; see `napari_clip_heatmap.evaluation.real`.
    """
    for path, labels in label_pairs(data / "nuclei"):
        kind = f"real {path.name.split('_')[0]}"
        mask = read_image(labels) > 0
        yield _known(
            kind, read_image(path), {"nuclei"}, set(CLASSES) - {"nuclei"}, {"nuclei": mask}
        )
    for file, boxes in read_boxes(data / "blood").items():
        image = read_image(data / "blood" / file)
        masks: dict[str, NDArray[np.bool_]] = {}
        for box in boxes:
            inside = masks.setdefault(
                BLOOD_NAMES[str(box["name"])], np.zeros(image.shape[:2], bool)
            )
            left, top, right, bottom = np.asarray(box["box"], int).clip(0)
            inside[top:bottom, left:right] = True
        missing = set(CELL_CLASSES) | (set(BLOOD_CLASSES) - set(masks))
        yield _known("real blood", image, set(masks), missing, masks)


def noise_fields(seed: int, count: int, side: int = 256) -> Iterator[NDArray[np.uint8]]:
    """Draw pictures of noise, uint8 RGB (side, side, 3): white, of counts, blurred, and specks.

    Nothing is in them, whatever the level, the contrast and the grain.

    Parameters
    ----------
    seed, count, side : int
    """
    rng = np.random.default_rng(seed)
    for number in range(count):
        level, contrast = rng.uniform(5, 240), float(np.exp(rng.uniform(0, np.log(60))))
        plane = rng.standard_normal((side, side))
        if number % 4 == 1:
            counts = float(np.exp(rng.uniform(0, np.log(100))))
            plane = (rng.poisson(counts, (side, side)) - counts) / np.sqrt(counts)
        elif number % 4 == 2:
            sigma = float(np.exp(rng.uniform(0, np.log(24))))
            plane = cv2.GaussianBlur(plane.astype(np.float32), (0, 0), sigma)
            plane = plane / plane.std()
        elif number % 4 == 3:
            specks = rng.random((side, side)) < np.exp(rng.uniform(np.log(0.001), np.log(0.05)))
            plane = specks * 255.0 / contrast
        gray = np.clip(np.round(level + contrast * plane), 0, 255).astype(np.uint8)
        yield np.repeat(gray[..., np.newaxis], 3, axis=2)


def blank_pictures(
    seed: int, n_noise: int, side: int = 256
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield pictures without content by their kind: constant, nearly constant, ramps and noise.

    Parameters
    ----------
    seed, n_noise, side : int
    """
    rng = np.random.default_rng(seed)
    shape = (side, side, 3)
    for color in (0, 64, 128, 255, (200, 180, 200), (60, 20, 90), (0, 0, 80), (240, 230, 200)):
        yield "constant", np.broadcast_to(np.array(color, np.uint8), shape).copy()
    for level in (10, 128, 220):
        jitter = rng.integers(-1, 2, (side, side, 1))
        yield "nearly constant", (np.full(shape, level) + jitter).astype(np.uint8)
    ramp = np.linspace(0, 255, side)[:, np.newaxis, np.newaxis] * np.ones((1, side, 3))
    for each in (ramp, ramp.transpose(1, 0, 2)):
        yield "ramp", np.round(each).astype(np.uint8)
    for picture in noise_fields(seed, n_noise, side):
        yield "noise", picture
