"""Any image array as colours between 0 and 1, and a mask of the pixels that mean something."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_clip_heatmap.imaging.channel import as_channels
from napari_clip_heatmap.imaging.source import Source
from napari_clip_heatmap.imaging.view import View

__all__ = ["Pixels", "as_rgb"]


@dataclass(frozen=True, eq=False)
class Pixels:
    """A whole image as the model may look at it.

    Parameters
    ----------
    rgb : float32 (y, x, 3)
        Colours in 0..1, finite everywhere.
    valid : bool (y, x)
        False where the image had NaN or infinity, or was masked; ``rgb`` holds the mean colour
        there.
    """

    rgb: NDArray[np.float32]
    valid: NDArray[np.bool_]


def as_rgb(image: ArrayLike) -> Pixels:
    """Return an image's colours in 0..1, as `View` shows an array by default.

    Transparency is laid over black, as a viewer shows it. NaN, infinity and the masked values of a
    `numpy.ma.MaskedArray` count for nothing.

    Parameters
    ----------
    image : array (y, x), (y, x, 3) or (y, x, 4)
        Gray, RGB or RGBA, of any boolean, integer or real floating type.

    Returns
    -------
    Pixels

    Raises
    ------
    ImageError
        The array has no pixel, another shape or type, or no valid pixel at all.
    """
    channels = as_channels(image)
    height, width = channels[0].shape
    source = Source(channels, View().appearance(channels), (height, width))
    rgb = source.read(slice(0, height), slice(0, width))
    valid = source.validity.read(np.arange(height) + 0.5, np.arange(width) + 0.5)
    return Pixels(rgb, np.ones((height, width), bool) if valid is None else valid)
