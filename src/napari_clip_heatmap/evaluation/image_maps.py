"""Maps of a whole image by any method that has one vector a patch, tiled as the product tiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.evaluation.faithfulness.token_methods import IMAGE_METHODS
from napari_clip_heatmap.imaging.channel import as_channels
from napari_clip_heatmap.imaging.lattice import OVERLAP, Quality, blend_tile, plan
from napari_clip_heatmap.imaging.resample import to_image_pixels
from napari_clip_heatmap.imaging.source import ImageSource, read_tile
from napari_clip_heatmap.imaging.view import View

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["check_token_methods", "image_maps"]

_BATCH = 8


def image_maps(
    model: ClipModel,
    image: ArrayLike,
    directions: NDArray[np.floating],
    methods: Sequence[str],
    *,
    downsample: float | Literal["auto"] = "auto",
    overlap: float = OVERLAP,
    quality: Quality = "standard",
) -> dict[str, NDArray[np.float32]]:
    """Return one map for each method and direction, at the image's pixels.

    Parameters
    ----------
    model : ClipModel
    image : array (y, x) or (y, x, 3 or 4)
        As `encode` takes it.
    directions : float (prompt, d_embed)
        Whatever a score makes of text directions.
    methods : sequence of str
        Names out of `IMAGE_METHODS`.
    downsample, overlap, quality
        As `encode` takes them.

    Returns
    -------
    dict of str to float32 (prompt, y, x)
        "exact" has the values that `Encoding.heatmaps` has for these directions.

    Raises
    ------
    SettingsError
        A method is unknown.
    """
    check_token_methods(methods)
    channels = as_channels(image)
    lattice, _ = plan(
        channels[0].shape,
        tile=model.image_size,
        patch=model.patch_size,
        downsample=downsample,
        overlap=overlap,
        quality=quality,
    )
    source = ImageSource(channels, View().appearance(channels), lattice.working_shape)
    totals = {name: np.zeros((*lattice.grid, len(directions)), np.float32) for name in methods}
    texts = torch.from_numpy(np.asarray(directions, np.float32))
    for places in _batches(lattice.tiles):
        batch = model.preprocess(np.stack([read_tile(source, lattice, each) for each in places]))
        for name, total in totals.items():
            tokens = IMAGE_METHODS[name][1](model, batch)
            values = (tokens.float() @ texts.to(tokens.device).mT).cpu().numpy()
            for place, of_tile in zip(places, values, strict=True):
                blend_tile(total, lattice, place, of_tile)
    return {
        name: to_image_pixels(np.ascontiguousarray(np.moveaxis(total, -1, 0)), lattice)
        for name, total in totals.items()
    }


def check_token_methods(methods: Sequence[str]) -> None:
    """Raise unless each is a method that has one vector a patch, and there is one.

    Raises
    ------
    SettingsError
    """
    unknown = [name for name in methods if name not in IMAGE_METHODS]
    if unknown or not methods:
        asked = ", ".join(map(repr, unknown)) or "none"
        raise SettingsError(
            f"whole images are mapped by methods with one vector a patch; asked for: {asked}; "
            f"accepted: {', '.join(IMAGE_METHODS)}"
        )


def _batches(
    tiles: Sequence[tuple[int, int]],
) -> Iterator[Sequence[tuple[int, int]]]:
    for start in range(0, len(tiles), _BATCH):
        yield tiles[start : start + _BATCH]
