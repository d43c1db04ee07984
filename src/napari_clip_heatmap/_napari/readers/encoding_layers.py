"""A saved encoding as layers: its image, and a map for each prompt."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.notifications import show_info, show_warning
from numpy.typing import NDArray

from napari_clip_heatmap._napari import settings
from napari_clip_heatmap._napari.controllers.collection.opened_image import (
    map_layer,
    placed,
    read_item,
)
from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY
from napari_clip_heatmap.batch.collection.encoded_collection import read_collection
from napari_clip_heatmap.errors import ImageError, ModelLoadError, OutputError

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.scoring import Scoring

__all__ = ["encoding_layers"]

log = logging.getLogger(__name__)

LayerData = tuple[Any, dict[str, Any], str]

_LARGEST_PICTURE = 1024
"""Longest side in pixels of the picture that stands for an image that is not here."""

_PERCENTILES = (1, 99)


def encoding_layers(path: Path) -> list[LayerData]:
    """Return the image of an encoding, and a map for each prompt.

    The image is read from where it was when it was encoded. Where it is not known or not there, a
    picture of the encoding takes its place. The prompts are those of the job that wrote the
    encoding, or those that the dock had last.

    Raises
    ------
    ImageError
        The encoding is damaged, or of a newer version.
    """
    (*_, collection) = read_collection(path)
    (item,) = collection.items
    encoding = collection.open(item)
    size = None
    try:
        opened = read_item(collection, item, "")
        image, size = [dict(each) for each in opened.layers], opened.pixel_size
    except ImageError as error:
        show_info(f"A picture of the encoding stands for its image: {error}")
        image = [_picture(encoding, item.name)]
    maps = [placed(map_layer(encoding, *each), size) for each in _scored(path, encoding)]
    for number, each in enumerate(maps):
        each["visible"] = number == 0
        each["metadata"] = {METADATA_KEY: {**each["metadata"], "prompt": each["name"]}}
    # napari puts each layer above the one before: the first prompt is to lie on top.
    return [(each.pop("data"), each, "image") for each in (*image, *reversed(maps))]


def _scored(path: Path, encoding: Encoding) -> list[tuple[Scoring, int]]:
    """Return each prompt as a scoring and its number in it; none where there are no words."""
    from napari_clip_heatmap.pipeline.scoring import build_scoring

    wanted = _of_job(path.parent) or _of_dock()
    if wanted is None:
        show_info("Type words in 'Encoded images' to see maps of this encoding")
        return []
    try:
        scoring = build_scoring(encoding.text, *wanted)
    except ModelLoadError as error:
        show_warning(f"No maps are shown: {error}")
        return []
    return [(scoring, number) for number in range(len(scoring.prompts))]


def _of_job(folder: Path) -> tuple[Any, ...] | None:
    """Return prompts, score, baseline and templates of the job that wrote a folder."""
    from napari_clip_heatmap.batch.gather_job import settings_of_job

    try:
        job = settings_of_job(folder)
    except OutputError:  # an encoding that was saved by itself
        return None
    return (job.rows, job.score, job.baseline, job.templates) if job.prompts else None


def _of_dock() -> tuple[Any, ...] | None:
    """Return prompts, score, baseline and templates that the dock had last."""
    saved = settings.section()
    prompts = [] if saved is None else saved.prompts.splitlines()
    if not prompts:
        return None
    return prompts, saved.score, (), saved.templates


def _picture(encoding: Encoding, name: str) -> dict[str, Any]:
    """Return a picture, uint8 (y, x, 3), in which patches of similar content have similar colors.

    Red, green and blue are the three directions in which the token map varies most.
    """
    from napari_clip_heatmap.imaging.resample import coarse_placement, coarser, to_image_pixels

    factor = max(1, -(-max(encoding.image_shape) // _LARGEST_PICTURE))
    values = encoding.lattice_values(_main_directions(encoding))
    pixels = to_image_pixels(values, coarser(encoding.lattice, factor))
    return {
        "data": np.stack([_as_bytes(each) for each in pixels], axis=-1),
        "rgb": True,
        "name": f"{name} (similar patches in similar colors)",
        **coarse_placement(encoding.lattice, factor),
        "metadata": {METADATA_KEY: {"encoding": encoding.describe()}},
    }


def _main_directions(encoding: Encoding) -> NDArray[np.float32]:
    """Return the three principal directions of the token map, float32 (3, d_embed)."""
    tokens = encoding.token_map.reshape(-1, encoding.token_map.shape[-1]).astype(np.float64)
    tokens = tokens - tokens.mean(axis=0)
    _, vectors = np.linalg.eigh(tokens.T @ tokens)
    found: NDArray[np.float32] = vectors[:, :-4:-1].T.astype(np.float32)
    return found


def _as_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return values as 0 to 255; 0 where they are not known."""
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, _PERCENTILES) if len(known) else (0.0, 1.0)
    scaled = (values - low) / max(high - low, 1e-12) * 255
    return np.nan_to_num(np.clip(scaled, 0, 255), nan=0).astype(np.uint8)
