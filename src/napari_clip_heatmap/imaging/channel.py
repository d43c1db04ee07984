"""What a view is made of: stored values at one or more resolutions, and how they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.pillow_images import array_of

__all__ = ["Channel", "as_channels"]

_ACCEPTED = "accepted: an array (y, x), (y, x, 3) or (y, x, 4) of booleans, integers or real floats"


@dataclass(frozen=True, eq=False)
class Channel:
    """One gray or colour image, and how its values are shown.

    Parameters
    ----------
    levels : tuple of array-like (y, x), (y, x, 3) or (y, x, 4)
        The image at full resolution, then at coarser ones that cover the same field. Anything with
        a shape, a dtype and slicing: numpy, a memory map, dask, zarr, a `Plane`. Nothing is read
        before it is needed, and then only what is needed.
    limits : (low, high), optional
        Values shown as 0 and as 1. By default those of `View`'s mode "shown".
    gamma : float
        Power applied between 0 and 1.
    lut : float32 (n, 3), optional
        Colours in 0..1 at n equally spaced values from 0 to 1, linear in between; for a gray image
        only. By default gray.

    Raises
    ------
    ImageError
        A level has no pixel, or another shape or type, or there are two limits of the wrong kind.
    """

    levels: tuple[Any, ...]
    limits: tuple[float, float] | None = None
    gamma: float = 1.0
    lut: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        for level in self.levels:
            _check(level)
        if not self.levels:
            raise ImageError(f"the image has no level; {_ACCEPTED}")
        if self.limits is not None and not np.isfinite(self.limits).all():
            raise ImageError(f"the contrast limits are {self.limits}; accepted: two finite numbers")
        if self.lut is not None and self.n_colours != 1:
            raise ImageError("a colour image was given a colormap; only a gray one can have one")

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width at full resolution."""
        height, width = self.levels[0].shape[:2]
        return int(height), int(width)

    @property
    def n_colours(self) -> int:
        """1 for gray, else 3; transparency is no colour."""
        shape = self.levels[0].shape
        return 1 if len(shape) == 2 else min(int(shape[2]), 3)


def as_channels(image: ArrayLike | Channel | Sequence[Channel]) -> tuple[Channel, ...]:
    """Return what `encode` was given as channels of one shape; an array becomes one channel.

    Raises
    ------
    ImageError
        It is no image, or the channels differ in shape.
    """
    if isinstance(image, Channel):
        return (image,)
    if isinstance(image, list | tuple) and image and isinstance(image[0], Channel):
        channels = tuple(image)
        shapes = [channel.shape for channel in channels]
        if len(set(shapes)) > 1:
            raise ImageError(
                f"the channels have shapes {', '.join(map(str, shapes))}; accepted: one shape. "
                "Choose channels of the same image"
            )
        return channels
    image = array_of(image)
    if isinstance(getattr(image, "dtype", None), np.dtype) and hasattr(image, "__getitem__"):
        return (Channel((image,)),)
    return (Channel((np.asanyarray(image),)),)


def _check(data: Any) -> None:
    shape, dtype = tuple(data.shape), np.dtype(data.dtype)
    if dtype.kind not in "buif":
        raise ImageError(f"the image holds values of type {dtype}; {_ACCEPTED}")
    if not (len(shape) == 2 or (len(shape) == 3 and shape[-1] in (1, 3, 4))):
        raise ImageError(
            f"the image has shape {shape}; {_ACCEPTED}; "
            "choose one slice, or up to three channels, first"
        )
    if 0 in shape:
        raise ImageError(f"the image has shape {shape}, so no pixel; {_ACCEPTED}")
