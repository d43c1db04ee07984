"""A channel: stored values at one or more resolutions, and how they are shown."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_clip_heatmap.errors import ImageError, shown_value
from napari_clip_heatmap.imaging.compositing import Blend, ThickPlane
from napari_clip_heatmap.imaging.pillow_images import array_of
from napari_clip_heatmap.validation import ascending, instance, number, number_array, refuse

__all__ = [
    "Channel",
    "Plane",
    "Values",
    "as_channels",
    "load",
    "stored_colors",
    "stretched",
    "working_type",
]

_SINGLE_LARGEST, _SINGLE_SMALLEST = 1e37, 1e-30
"""Ranges beyond, and narrower ones, are computed in double precision."""

_DOUBLE_LARGEST = 1e300
"""Ranges beyond are scaled down before they are computed."""


_ACCEPTED = "accepted: an array (y, x), (y, x, 3) or (y, x, 4) of booleans, integers or real floats"


@dataclass(frozen=True, eq=False, repr=False)
class Channel:
    """One gray or color image, and how its values are shown.

    Parameters
    ----------
    levels : tuple of array-like (y, x), (y, x, 3) or (y, x, 4)
        The image at full resolution, then coarser levels of the same field. Anything with a shape,
        a dtype and slicing: numpy, a memory map, dask, zarr, a `Plane`. Nothing is read before it
        is needed, and then only the part that is needed.
    limits : (low, high), optional
        Values shown as 0 and as 1, the smaller first. By default those of `View`'s mode "shown".
    gamma : float
        Power applied between 0 and 1; from 0.001 to 1000.
    lut : float32 (n, 3|4), optional
        Colors in 0..1, with alpha where there are 4, at n equally spaced values from 0 to 1,
        linear in between; for a gray image only. By default gray.
    blend : Blend, optional
        How the channel is drawn onto the others; either all channels of an image have one, or none.
        By default channels are added.

    Raises
    ------
    ImageError
        A level has no pixel, a wrong shape or type; or limits, gamma or lut are not as above.

    Examples
    --------
    >>> dapi = nch.Channel((stack[0],), limits=(100, 4000), lut=[[0, 0, 0], [0, 0, 1]])
    >>> actin = nch.Channel((stack[1],), limits=(80, 900), lut=[[0, 0, 0], [0, 1, 0]])
    >>> encoding = nch.encode(model, [dapi, actin])
    """

    levels: tuple[Any, ...]
    limits: tuple[float, float] | None = None
    gamma: float = 1.0
    lut: NDArray[np.float32] | None = None
    blend: Blend | None = None

    def __post_init__(self) -> None:
        self._check_levels()
        if self.limits is not None:
            limits = ascending("the contrast limits", self.limits, ImageError)
            object.__setattr__(self, "limits", limits)
        gamma = number("gamma", self.gamma, 1e-3, 1e3, ImageError)
        object.__setattr__(self, "gamma", gamma)
        if self.blend is not None:
            instance("blend", self.blend, Blend, "a Blend record, or None", ImageError)
        if self.lut is not None:
            if self.n_colors != 1:
                raise ImageError("a color image was given a colormap; only a gray one can have one")
            lut = number_array("the colormap (lut)", self.lut, (None, None), ImageError)
            if not len(lut) or lut.shape[1] not in (3, 4):
                raise ImageError(
                    f"the colormap (lut) has shape {lut.shape}; accepted: (n, 3) or (n, 4), n >= 1"
                )
            if lut.min() < 0 or lut.max() > 1:
                raise refuse("the colormap (lut)", lut, "colors from 0 to 1", ImageError)
            object.__setattr__(self, "lut", lut.astype(np.float32))

    def _check_levels(self) -> None:
        if not isinstance(self.levels, tuple | list):
            raise ImageError(
                f"the levels of a channel are {shown_value(self.levels)}; accepted: a tuple of "
                "arrays, such as Channel((image,))"
            )
        object.__setattr__(self, "levels", tuple(self.levels))
        for level in self.levels:
            _check(level)
        if not self.levels:
            raise ImageError(f"the image has no level; {_ACCEPTED}")
        if len({_n_colors(level) for level in self.levels}) > 1:
            shapes = [tuple(level.shape) for level in self.levels]
            raise ImageError(
                f"the levels have shapes {shown_value(shapes)}; accepted: all gray, or all color"
            )

    def __repr__(self) -> str:
        more = f", {len(self.levels)} levels" if len(self.levels) > 1 else ""
        finest = self.levels[0]
        return f"Channel({tuple(finest.shape)} {np.dtype(finest.dtype)}{more})"

    @property
    def style(self) -> tuple[Hashable, ...]:
        """All that decides how stored values are shown, to be compared with another channel's."""
        lut = None if self.lut is None else self.lut.tobytes()
        return self.limits, self.gamma, lut, self.blend

    @property
    def slab(self) -> Hashable:
        """Which planes of a thick slice are projected, and how; None for a single plane."""
        level = self.levels[0]
        return (level.ranges, level.projection) if isinstance(level, ThickPlane) else None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width at full resolution."""
        height, width = self.levels[0].shape[:2]
        return int(height), int(width)

    @property
    def n_colors(self) -> int:
        """1 for gray, 3 for color; opacity is not counted."""
        return _n_colors(self.levels[0])


def _n_colors(level: Any) -> int:
    return 1 if len(level.shape) == 2 else min(int(level.shape[2]), 3)


def as_channels(image: ArrayLike | Channel | Sequence[Channel]) -> tuple[Channel, ...]:
    """Return what `encode` was given as channels of one shape.

    An array becomes one channel; a list of arrays, each smaller than the last, the levels of one.

    Raises
    ------
    ImageError
        It is no image, or the channels differ in shape.
    """
    if isinstance(image, Channel):
        return (image,)
    if isinstance(image, list | tuple) and any(isinstance(each, Channel) for each in image):
        return _same_shape(image)
    if isinstance(image, list | tuple) and image and all(map(_is_array, image)):
        return (_pyramid(tuple(image)),)
    image = array_of(image)
    if _is_array(image):
        return (Channel((image,)),)
    return (Channel((_as_array(image),)),)


def _is_array(image: object) -> bool:
    """Return whether something is an array that is read where it is sliced."""
    sliceable = isinstance(getattr(image, "dtype", None), np.dtype) and hasattr(image, "shape")
    return sliceable and hasattr(image, "__getitem__") and not isinstance(image, np.generic)


def _same_shape(image: Sequence[Any]) -> tuple[Channel, ...]:
    for each in image:
        if not isinstance(each, Channel):
            raise ImageError(
                f"one of the channels is {shown_value(each)}; accepted: Channel records only"
            )
    channels = tuple(image)
    shapes = [channel.shape for channel in channels]
    if len(set(shapes)) > 1:
        raise ImageError(
            f"the channels have shapes {shown_value(shapes)}; accepted: one shape. "
            "Choose channels of the same image"
        )
    return channels


def _pyramid(levels: tuple[Any, ...]) -> Channel:
    """Take a list of arrays for the levels of a pyramid, if each is smaller than the last."""
    sizes = [tuple(level.shape) for level in levels]
    if len(sizes) > 1 and not all(_is_smaller(*pair) for pair in pairwise(sizes)):
        raise ImageError(
            f"the image is a list of arrays of shapes {shown_value(sizes)}; accepted: the levels "
            "of one image, the finest first; one array; or a list of Channel records"
        )
    return Channel(levels)


def _is_smaller(fine: tuple[int, ...], coarse: tuple[int, ...]) -> bool:
    if len(fine) != len(coarse) or len(fine) < 2 or coarse[:2] == fine[:2]:
        return False
    return coarse[0] <= fine[0] and coarse[1] <= fine[1]


def _as_array(image: object) -> Any:
    try:
        return np.asanyarray(image)
    except Exception as error:
        raise ImageError(
            f"the image ({type(image).__name__}) cannot be read as an array "
            f"({shown_value(error, 160)}); {_ACCEPTED}. Convert it first, a tensor with "
            "tensor.float().cpu().numpy()"
        ) from error


def _check(data: Any) -> None:
    if not (hasattr(data, "shape") and hasattr(data, "dtype") and hasattr(data, "__getitem__")):
        raise ImageError(f"a level of the image is {shown_value(data)}; {_ACCEPTED}")
    try:
        shape, dtype = tuple(data.shape), np.dtype(data.dtype)
    except (TypeError, ValueError) as error:
        raise ImageError(
            f"the image holds values of type {shown_value(data.dtype)}; {_ACCEPTED}"
        ) from error
    if dtype.kind not in "buif":
        raise ImageError(f"the image holds values of type {dtype}; {_ACCEPTED}")
    if not (len(shape) == 2 or (len(shape) == 3 and shape[-1] in (1, 3, 4))):
        raise ImageError(
            f"the image has shape {shown_value(shape)}; {_ACCEPTED}; "
            "choose one slice, or up to three channels, first"
        )
    if 0 in shape:
        raise ImageError(f"the image has shape {shape}, so no pixel; {_ACCEPTED}")


class Plane:
    """One plane of an array with more axes, read only where it is sliced.

    ``array[index]`` would read a whole plane of a zarr array or a memory map.

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
    colors : float32 or float64 (y, x, 1|3)
        As stored, in the type that holds them exactly; 0 where invalid.
    opacity : the same type (y, x, 1), optional
        0..1; integers over the largest of their type. None where there is no transparency.
    valid : bool (y, x), optional
        False where a value is NaN, infinite or masked; None where all are valid.
    """

    colors: NDArray[Any]
    opacity: NDArray[Any] | None
    valid: NDArray[np.bool_] | None


def working_type(dtype: np.dtype[Any]) -> type[np.float32] | type[np.float64]:
    """Return the smaller of single and double precision that holds all values of a type.

    Integers beyond 2**53 and long doubles become the nearest double.
    """
    return np.float32 if np.can_cast(dtype, np.float32) else np.float64


def stored_colors(level: Any, y: slice, x: slice) -> NDArray[Any] | None:
    """Read a rectangle as it is stored; None where it has transparency or a mask."""
    if len(level.shape) == 3 and level.shape[2] == 4:
        return None
    stored = level[(y, x) if len(level.shape) == 2 else (y, x, slice(None))]
    return None if isinstance(stored, np.ma.MaskedArray) else np.asarray(stored)


def load(level: Any, y: slice, x: slice) -> Values:
    """Read a rectangle of a gray, RGB or RGBA array."""
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


def stretched(
    values: NDArray[Any], low: float, high: float, opacity: NDArray[Any] | None = None
) -> NDArray[np.float32]:
    """Return values as 0 at `low` to 1 at `high`, clipped; all are 0 where these are equal.

    Whatever the finite values and limits, no step of the way overflows or becomes NaN.

    Parameters
    ----------
    values : float32 or float64 (y, x, n)
        Times their opacity where that is given.
    opacity : float32 or float64 (y, x, 1), optional
    """
    if not low < high:
        return np.zeros(values.shape, np.float32)
    largest = max(abs(low), abs(high))
    # Single precision has 24 bits, and no more than 3e38.
    if largest > _SINGLE_LARGEST or high - low < max(largest * 1e-4, _SINGLE_SMALLEST):
        values = values.astype(np.float64)
    if largest > _DOUBLE_LARGEST:  # the range of such values has no number: quarter everything
        values, low, high = values * 0.25, low * 0.25, high * 0.25
    real = values.dtype.type
    with np.errstate(over="ignore"):  # far beyond the range all values are 1 alike
        unit = values - (real(low) if opacity is None else real(low) * opacity)
        unit /= real(high) - real(low)
    shown: NDArray[np.float32] = np.clip(unit, 0, 1).astype(np.float32, copy=False)
    return shown
