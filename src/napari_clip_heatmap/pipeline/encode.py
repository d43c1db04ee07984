"""A whole image, of any size and shape, through the model tile by tile."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_clip_heatmap.errors import Cancelled, SettingsError
from napari_clip_heatmap.imaging.lattice import Lattice, plan_lattice
from napari_clip_heatmap.imaging.pixels import as_rgb
from napari_clip_heatmap.imaging.resample import resize
from napari_clip_heatmap.imaging.tiles import ArraySource, Source, lay_tile, read_tile
from napari_clip_heatmap.pipeline.encoding import Encoding

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["AUTO_TILES", "choose_downsample", "encode"]

AUTO_TILES = 16
"""With downsample "auto", the short side of an image spans at most this many tiles."""

CPU_BATCH = 4
"""Tiles per pass on a CPU: fewer are slower per tile, more take longer to cancel."""

ACCELERATOR_BATCH = 32
"""Tiles per pass on anything else, where small batches leave the device idle."""


def encode(
    model: ClipModel,
    image: ArrayLike,
    *,
    downsample: float | Literal["auto"] = "auto",
    overlap: float = 0.5,
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Encoding:
    """Show the whole image to the model, in overlapping tiles on one patch lattice.

    No pixel is left out: there is no centre crop, and an image smaller than a tile is continued by
    its reflection, which is context only. An image of exactly the model's input size, at
    ``downsample=1``, gives exactly the model's own token map.

    Parameters
    ----------
    model : ClipModel
        As `load_model` returns it.
    image : array (y, x), (y, x, 3) or (y, x, 4)
        Gray, RGB or RGBA, of any boolean, integer or real floating type; see `as_rgb` for how
        values become colours. NaN and infinite pixels are NaN in the heatmaps.
    downsample : float or "auto"
        Image pixels per pixel that the model looks at, averaged over their area; below 1 enlarges.
        "auto": the short side spans at most `AUTO_TILES` tiles, and nothing is ever enlarged.
    overlap : float
        Smallest share of a tile that its neighbour covers too, from 0 up to 0.9.
    batch_size : int, optional
        Tiles per pass through the model; by default what suits the device.
    progress : callable(done_tiles, all_tiles), optional
        Called before the first pass and after each.
    cancelled : callable() -> bool, optional
        Asked before each pass; once true, nothing more is computed.

    Returns
    -------
    Encoding

    Raises
    ------
    ImageError
        The image has no pixel, no valid one, or a shape or type that cannot be looked at.
    SettingsError
        A setting lies outside what is accepted.
    Cancelled
        The caller asked for it.
    """
    _check_settings(downsample, overlap, batch_size)
    pixels = as_rgb(image)
    height, width = pixels.valid.shape
    factor = choose_downsample((height, width), model.image_size, downsample)
    lattice = plan_lattice(
        (height, width),
        (max(1, round(height / factor)), max(1, round(width / factor))),
        patch=model.patch_size,
        tile=model.image_size,
        overlap=overlap,
    )
    token_map, embedding = _encode_tiles(
        model,
        ArraySource(resize(pixels.rgb, lattice.working_shape)),
        lattice,
        batch_size or (CPU_BATCH if model.device.type == "cpu" else ACCELERATOR_BATCH),
        progress or (lambda done, total: None),
        cancelled or (lambda: False),
    )
    return Encoding(
        token_map=token_map,
        embedding=embedding,
        valid=pixels.valid,
        lattice=lattice,
        downsample=factor,
        overlap=overlap,
        model=model.describe(),
        text=model.text,
    )


def choose_downsample(
    shape: tuple[int, int],
    tile: tuple[int, int],
    downsample: float | Literal["auto"] = "auto",
) -> float:
    """Return image pixels per working pixel: as asked, or what "auto" means for this image.

    Parameters
    ----------
    shape, tile : (y, x)
        Of the image and of the model's input, in pixels.
    downsample : float or "auto"
    """
    if downsample != "auto":
        return float(downsample)
    return max(1.0, min(shape[0] / tile[0], shape[1] / tile[1]) / AUTO_TILES)


def _check_settings(downsample: object, overlap: float, batch_size: int | None) -> None:
    if downsample != "auto" and not (
        isinstance(downsample, Real) and 0.125 <= float(downsample) < math.inf
    ):
        raise SettingsError(
            f"downsample is {downsample!r}; accepted: a number of image pixels per pixel that the "
            "model looks at, at least 0.125, or 'auto'"
        )
    if not 0 <= overlap <= 0.9:
        raise SettingsError(f"overlap is {overlap!r}; accepted: a share of a tile from 0 to 0.9")
    if batch_size is not None and batch_size < 1:
        raise SettingsError(f"batch_size is {batch_size!r}; accepted: 1 tile or more, or None")


def _encode_tiles(
    model: ClipModel,
    source: Source,
    lattice: Lattice,
    batch_size: int,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the token map (grid_y, grid_x, d_embed) and the mean unit embedding (d_embed,)."""
    tiles = lattice.tiles
    token_map = np.zeros((*lattice.grid, model.d_embed), np.float32)
    embedding = np.zeros(model.d_embed)
    progress(0, len(tiles))
    for first in range(0, len(tiles), batch_size):
        if cancelled():
            raise Cancelled(f"cancelled after {first} of {len(tiles)} tiles; no heatmap was made")
        batch = tiles[first : first + batch_size]
        seen = np.stack([read_tile(source, lattice, tile) for tile in batch])
        answer = model.token_map(model.preprocess(seen))
        for tile, tokens in zip(batch, answer.tokens.cpu().numpy(), strict=True):
            lay_tile(token_map, lattice, tile, tokens)
        whole = answer.representation.double().cpu().numpy()  # [tile, d_embed]
        embedding += (whole / np.linalg.norm(whole, axis=1, keepdims=True)).sum(axis=0)
        progress(first + len(batch), len(tiles))
    return token_map, (embedding / len(tiles)).astype(np.float32)
