"""What faithfulness is measured on: single tiles, each with a prompt for what is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.evaluation.real import blood_masks, label_pairs
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.imaging.opencv import cv2
from napari_clip_heatmap.scenes import draw

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["Stimulus", "draw_stimuli", "read_stimuli"]

_VISIBLE, _MOST = 0.01, 0.9
"""Least and greatest part of a tile that its object covers: a map of all of it says nothing."""

_ZOOM_TILE = 96
"""Side of the tile, in pixels, in which drawn objects have their usual size."""


@dataclass(frozen=True, eq=False)
class Stimulus:
    """One tile and one prompt.

    Parameters
    ----------
    pixels : float32 (tile_y, tile_x, 3)
        In 0..1, of the model's input size.
    prompt : str
        Something that is there.
    mask : bool (tile_y, tile_x)
        Where it is.
    kind : str
        Kind of image.
    """

    pixels: NDArray[np.float32]
    prompt: str
    mask: NDArray[np.bool_]
    kind: str


def draw_stimuli(model: ClipModel, count: int, seed: int) -> list[Stimulus]:
    """Draw tiles, each with one of the things that are in it, from a seed.

    Parameters
    ----------
    model : ClipModel
        Says how large a tile is; objects grow with it.
    count : int
    seed : int
    """
    found: list[Stimulus] = []
    size = model.image_size
    zoom = min(size) / _ZOOM_TILE
    number = 0
    while len(found) < count:
        rng = np.random.default_rng([seed, number])
        scene = draw(seed + number, size, zoom=zoom * float(np.exp(rng.uniform(-0.45, 0.5))))
        number += 1
        names = [name for name, mask in scene.masks.items() if _is_useful(mask)]
        if names:
            name = names[int(rng.integers(len(names)))]
            pixels = _as_rgb(scene.image)
            found.append(Stimulus(pixels, name, scene.masks[name], scene.modality))
    return found


def read_stimuli(model: ClipModel, data: Path, seed: int) -> list[Stimulus]:
    """Cut one tile for each thing out of each real image with truth.

    Parameters
    ----------
    model : ClipModel
    data : Path
        As `evaluate_model` takes it: ``nuclei/`` or ``blood/``.
    seed : int
        Decides where tiles are cut.

    Raises
    ------
    ImageError
        There is nothing to be measured in the folder.
    """
    rng = np.random.default_rng(seed)
    found = [
        stimulus
        for image, masks, kind in _real_images(data)
        for name, mask in masks.items()
        if (stimulus := _cut(model, image, mask, name, kind, rng)) is not None
    ]
    if not found:
        raise ImageError(
            f"'{data}' holds no image with truth of a tile's size. Expected "
            "'nuclei/KIND_ID.png' and 'nuclei/KIND_ID_labels.png', or 'blood/boxes.json' with "
            "the pictures it names."
        )
    return found


def _real_images(
    data: Path,
) -> Iterator[tuple[NDArray[Any], dict[str, NDArray[np.bool_]], str]]:
    for path, labels in label_pairs(data / "nuclei"):
        yield read_image(path), {"nuclei": read_image(labels) > 0}, path.name.split("_")[0]
    for image, masks in blood_masks(data / "blood"):
        yield image, masks, "blood"


def _cut(
    model: ClipModel,
    image: NDArray[Any],
    mask: NDArray[np.bool_],
    name: str,
    kind: str,
    rng: np.random.Generator,
) -> Stimulus | None:
    """Return a tile around a pixel of the object, or None where the image is too small."""
    height, width = model.image_size
    if mask.shape[0] < height or mask.shape[1] < width or not mask.any():
        return None
    rows, columns = np.nonzero(mask)
    at = int(rng.integers(len(rows)))
    top = int(np.clip(rows[at] - height // 2, 0, mask.shape[0] - height))
    left = int(np.clip(columns[at] - width // 2, 0, mask.shape[1] - width))
    window = np.s_[top : top + height, left : left + width]
    if not _is_useful(mask[window]):
        return None
    pixels = _as_rgb(image)[window]
    return Stimulus(np.ascontiguousarray(pixels), name, mask[window], kind)


def _as_rgb(image: NDArray[Any]) -> NDArray[np.float32]:
    """Return an 8-bit picture as RGB in 0..1."""
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise ImageError(
            f"faithfulness is measured on 8-bit pictures; got {image.dtype} of shape "
            f"{image.shape}; save them as 8-bit gray or RGB"
        )
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    unit: NDArray[np.float32] = np.divide(image[..., :3], 255, dtype=np.float32)
    return unit


def _is_useful(mask: NDArray[np.bool_]) -> bool:
    return _VISIBLE <= float(mask.mean()) <= _MOST
