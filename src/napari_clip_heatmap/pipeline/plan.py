"""The working resolution and the lattice of an image, before anything of it is read."""

from __future__ import annotations

import math
from numbers import Real
from typing import Literal

from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.imaging.lattice import Lattice, plan_lattice

__all__ = ["AUTO_TILES", "choose_downsample", "plan"]

AUTO_TILES = 16
"""With downsample "auto", the short side of an image spans at most this many tiles."""


def plan(
    shape: tuple[int, int],
    *,
    tile: tuple[int, int],
    patch: tuple[int, int],
    downsample: float | Literal["auto"] = "auto",
    overlap: float = 0.5,
) -> tuple[Lattice, float]:
    """Return the lattice of an image, and image pixels per working pixel.

    Parameters
    ----------
    shape, tile, patch : (y, x)
        Of the image, in pixels; of the model's input and patches (``model.image_size``,
        ``model.patch_size``), in working pixels.
    downsample, overlap
        As `encode` takes them.

    Raises
    ------
    SettingsError
        A setting lies outside what is accepted.
    """
    _check(downsample, overlap)
    factor = choose_downsample(shape, tile, downsample)
    working = max(1, round(shape[0] / factor)), max(1, round(shape[1] / factor))
    return plan_lattice(shape, working, patch=patch, tile=tile, overlap=overlap), factor


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


def _check(downsample: object, overlap: float) -> None:
    if downsample != "auto" and not (
        isinstance(downsample, Real) and 0.125 <= float(downsample) < math.inf
    ):
        raise SettingsError(
            f"downsample is {downsample!r}; accepted: a number of image pixels per pixel that the "
            "model looks at, at least 0.125, or 'auto'"
        )
    if not 0 <= overlap <= 0.9:
        raise SettingsError(f"overlap is {overlap!r}; accepted: a share of a tile from 0 to 0.9")
