"""What a view is made of: stored values at one or more resolutions, and how they are shown."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.compositing import Blend, ThickPlane

__all__ = ["Channel", "Plane", "Values", "as_channels", "load", "working_type"]


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
    lut : float32 (n, 3|4), optional
        Colours in 0..1, with alpha where there are 4, at n equally spaced values from 0 to 1,
        linear in between; for a gray image only. By default gray.
    blend : Blend, optional
        How it is drawn onto the other channels; all of an image's channels have one, or none has.
        By default they are added.

    Raises
    ------
    ImageError
        A level has no pixel, or another shape or type, or there are two limits of the wrong kind.
    """

    levels: tuple[Any, ...]
    limits: tuple[float, float] | None = None
    gamma: float = 1.0
    lut: NDArray[np.float32] | None = None
    blend: Blend | None = None

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
    def style(self) -> tuple[Hashable, ...]:
        """All that decides how stored values are shown, to be compared with another channel's."""
        lut = None if self.lut is None else self.lut.tobytes()
        return self.limits, self.gamma, lut, self.blend

    @property
    def slab(self) -> Hashable:
        """Which planes of a thick slice are put together, and how; None of a single plane."""
        level = self.levels[0]
        return (level.ranges, level.projection) if isinstance(level, ThickPlane) else None

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


class Plane:
    """The last axes of an array at fixed positions on its leading ones; read only where sliced.

    ``array[index]`` would do for a lazy array, but reads a whole plane of a zarr or a memory map.

    Parameters
    ----------
    array : array-like (*leading, y, x) or (*leading, y, x, 3|4)
        Anything with a shape, a dtype and slicing.
    index : tuple of int
        One position per leading axis.
    """

    def __init__(self, array: Any, index: tuple[int, ...]) -> None:
        self.array = array
        self.index = index

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the plane."""
        return tuple(self.array.shape)[len(self.index) :]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its values."""
        dtype: np.dtype[Any] = np.dtype(self.array.dtype)
        return dtype

    def __getitem__(self, key: tuple[slice, ...]) -> Any:
        return self.array[(*self.index, *key)]


@dataclass(frozen=True, eq=False)
class Values:
    """Stored values of a rectangle.

    Parameters
    ----------
    colours : float32 or float64 (y, x, 1|3)
        As stored, in the type that holds them exactly; 0 where invalid.
    opacity : the same type (y, x, 1), optional
        0..1; integers over the largest of their type. None where there is no transparency.
    valid : bool (y, x), optional
        False where a value is NaN, infinite or masked; None where all count.
    """

    colours: NDArray[Any]
    opacity: NDArray[Any] | None
    valid: NDArray[np.bool_] | None


def working_type(dtype: np.dtype[Any]) -> type[np.float32] | type[np.float64]:
    """Return the smaller of single and double precision that holds all values of a type.

    Of integers beyond 2**53 and long doubles double holds the nearest.
    """
    return np.float32 if np.can_cast(dtype, np.float32) else np.float64


def load(level: Any, y: slice, x: slice) -> Values:
    """Read a rectangle of a gray, RGB or RGBA array, and nothing else of it."""
    key = (y, x) if len(level.shape) == 2 else (y, x, slice(None))
    stored = level[key]
    mask = ~np.ma.getmaskarray(stored) if isinstance(stored, np.ma.MaskedArray) else None
    data = np.asarray(stored)
    with np.errstate(over="ignore"):  # what double cannot hold becomes infinite, so invalid
        numbers: NDArray[Any] = data.astype(working_type(data.dtype))
    if data.ndim == 2:
        numbers = numbers[..., np.newaxis]
        mask = mask if mask is None else mask[..., np.newaxis]
    valid = _valid(numbers, mask, floats=data.dtype.kind == "f")
    if valid is not None:
        numbers[~valid] = 0
    if numbers.shape[-1] != 4:
        return Values(numbers, None, valid)
    full = np.iinfo(data.dtype).max if data.dtype.kind in "ui" else 1
    opacity = np.clip(numbers[..., 3:] / numbers.dtype.type(full), 0, 1)
    return Values(numbers[..., :3], opacity, valid)


def _valid(
    numbers: NDArray[Any], mask: NDArray[np.bool_] | None, *, floats: bool
) -> NDArray[np.bool_] | None:
    finite: NDArray[np.bool_] | None = np.isfinite(numbers) if floats else None
    parts = [part for part in (finite, mask) if part is not None]
    if all(part.all() for part in parts):
        return None
    valid: NDArray[np.bool_] = np.logical_and.reduce(parts).all(axis=-1)
    return valid
