"""Any image array as colours between 0 and 1, and a mask of the pixels that mean something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_clip_heatmap.errors import ImageError

__all__ = ["Pixels", "as_rgb"]

_ACCEPTED = "accepted: an array (y, x), (y, x, 3) or (y, x, 4) of booleans, integers or real floats"


@dataclass(frozen=True, eq=False)
class Pixels:
    """An image as the model may look at it.

    Parameters
    ----------
    rgb : float32 (y, x, 3)
        Colours in 0..1, finite everywhere; may be a read-only view.
    valid : bool (y, x)
        False where the image had NaN or infinity, or was masked; ``rgb`` holds the mean colour
        there.
    """

    rgb: NDArray[np.float32]
    valid: NDArray[np.bool_]


def as_rgb(image: ArrayLike) -> Pixels:
    """Return an image's colours in 0..1.

    ``uint8`` is taken as it is (over 255) and booleans as black and white. All other types have no
    agreed white, so the smallest valid value becomes 0 and the largest 1, over all colours at once
    to keep the hue; a constant image becomes 0. Transparency is laid over black, as a viewer shows
    it. NaN, infinity and the masked values of a `numpy.ma.MaskedArray` count for nothing.

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
    data = np.asanyarray(image)
    _check(data)
    valid = ~np.ma.getmaskarray(data) if isinstance(data, np.ma.MaskedArray) else None
    data = _at_most_double(np.asarray(data))
    if data.ndim == 2:
        data = data[..., np.newaxis]
        valid = valid if valid is None else valid[..., np.newaxis]
    finite = np.isfinite(data)
    valid = np.all(finite if valid is None else finite & valid, axis=-1)
    if not valid.any():
        raise ImageError(
            f"the image has no valid pixel: all {valid.size} are NaN, infinite or masked; "
            "choose an image, a slice or a channel that holds data"
        )
    colours = _to_unit_range(data[..., :3], valid)
    if data.shape[-1] == 4:
        colours *= _opacity(data[..., 3:])
    if not valid.all():
        colours[~valid] = colours[valid].mean(axis=0, dtype=np.float64)
    return Pixels(np.broadcast_to(colours, (*valid.shape, 3)), valid)


def _check(data: NDArray[Any]) -> None:
    if data.dtype.kind not in "buif":
        raise ImageError(f"the image holds values of type {data.dtype}; {_ACCEPTED}")
    if not (data.ndim == 2 or (data.ndim == 3 and data.shape[-1] in (1, 3, 4))):
        raise ImageError(
            f"the image has shape {data.shape}; {_ACCEPTED}; "
            "choose one slice, or up to three channels, first"
        )
    if data.size == 0:
        raise ImageError(f"the image has shape {data.shape}, so no pixel; {_ACCEPTED}")


def _at_most_double(data: NDArray[Any]) -> NDArray[Any]:
    if data.dtype.kind == "f" and data.dtype.itemsize > 8:
        with np.errstate(over="ignore"):  # what double cannot hold becomes infinite, so masked
            return data.astype(np.float64)
    return data


def _to_unit_range(data: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Scale colours (y, x, 1|3) to 0..1 by their type or their valid range; finite everywhere."""
    if data.dtype == np.bool_:
        return data.astype(np.float32)
    if data.dtype == np.uint8:
        return data.astype(np.float32) / np.float32(255)
    exact = np.float32 if np.can_cast(data.dtype, np.float32) else np.float64
    half: NDArray[np.floating[Any]] = data.astype(exact)
    half *= 0.5  # so that the range of floats as large as 1e308 is finite too
    # Any valid colour at the invalid pixels leaves the range as it is.
    half[~valid] = half[np.unravel_index(valid.argmax(), valid.shape)]
    low, high = half.min(), half.max()
    if not high > low:
        return np.zeros(data.shape, np.float32)
    half -= low
    half /= high - low
    unit: NDArray[np.float32] = half.astype(np.float32, copy=False)
    return unit


def _opacity(alpha: NDArray[Any]) -> NDArray[np.float32]:
    """Return alpha as 0..1: integers over the largest of their type, floats as they are."""
    full = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "ui" else 1
    opacity: NDArray[np.float32] = np.clip(alpha.astype(np.float32) / np.float32(full), 0, 1)
    return opacity
