"""The range and the mean of an image's values, read from a bounded number of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.channel import (
    Channel,
    Values,
    load,
    stored_colors,
    stretched,
    working_type,
)

__all__ = ["WHOLE", "Statistics", "count_lines", "percentiles", "robust_range", "summarize"]

WHOLE = 8192 * 8192
"""A level of at most this many pixels is read whole, so its range is exact."""

_BAND = 2**22
"""Pixels read at once."""

_WINDOWS, _SIDE = 8, 512
"""Of a larger level, windows of this side, spread evenly over both axes."""

_KEPT = 2**22
"""Values kept for percentiles."""

_SAMPLE = 2**18
"""Values sorted to find the robust range."""

_TAIL = 0.5
"""Percent of the values at either end that defects may be, or one and a half columns of a small
image."""

_FEWEST = 1000
"""Of fewer values no tail is cut off."""

_DISTINCT = 16
"""Fewer different values are classes, and none of them is taken for missing data."""

_BOX = np.ones((3, 3), np.uint8)

_LEAST_SIDE, _CROSSINGS, _FEW_LINES = 32, 32, 0.02
"""Of smaller images no lines are counted; so many crossings of a line are looked at; more than this
part of all rows or columns are no defects."""

_FILTERED_AS_STORED = (np.uint8, np.uint16, np.int16)
"""Types that OpenCV filters quickly."""

_SCALED_BY_OPENCV = (np.float32, np.float64, np.int32)
"""Types that OpenCV brings to 16 bits quickly."""

_STEPS = 65535
"""Values of other types are filtered in so many steps, which moves a range by 1e-5 of itself."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """Range and mean of a channel's valid values, over all colors at once.

    Parameters
    ----------
    low, high : float
        Smallest and largest value of any color, transparency aside.
    mean : float64 (1|3,)
        Mean color as shown, with transparent pixels over black.
    opacity : float
        Mean opacity; 1 where there is no transparency.
    """

    low: float
    high: float
    mean: NDArray[np.float64]
    opacity: float


def summarize(channel: Channel) -> Statistics:
    """Return a channel's range and mean from its coarsest level.

    A level of up to `WHOLE` pixels is read whole, in bands. Of a larger one only windows on a
    regular grid are read, so the range may miss the rarest values. Which pixels are read depends
    on the shape only, not on how or where the values are stored.

    Raises
    ------
    ImageError
        None of the values that were read is valid.
    """
    low, high, count, opacity = math.inf, -math.inf, 0, 0.0
    mean = np.zeros(channel.n_colors)
    for values in _read_level(channel.levels[-1]):
        colors = _valid_rows(values.colors, values.valid)  # [pixel, color]
        if not len(colors):
            continue
        low, high = min(low, float(colors.min())), max(high, float(colors.max()))
        count += len(colors)
        fraction = len(colors) / count
        # Divided before they are added: values near the largest of their type have no sum.
        here = np.sum(_as_shown(values) / len(colors), axis=0, dtype=np.float64)
        mean = mean * (1 - fraction) + here * fraction
        opacity = opacity * (1 - fraction) + _mean_opacity(values) * fraction
    if not count:
        raise _no_valid_pixel(channel.levels[-1])
    return Statistics(low, high, mean, opacity)


def percentiles(channel: Channel, low: float, high: float) -> tuple[float, float]:
    """Return two percentiles of the same values, or of every n-th where they are very many.

    Raises
    ------
    ImageError
        None of the values that were read is valid.
    """
    # Halved, as the difference of two values may be too large for a double.
    halved = _sample(channel, _KEPT).astype(np.float64) / 2
    bottom, top = np.percentile(halved, (low, high)) * 2
    return float(bottom), float(top)


def robust_range(channel: Channel) -> tuple[float, float]:
    """Return the range of a channel's values without what is no signal.

    Two kinds of values do not count. *Defects* one pixel wide, such as hot pixels and dead columns:
    a 3 x 3 median filter removes them. So that thin structures survive it, the range always covers
    all values but the 0.5 % (or one and a half columns) at either end. *No data*: an extreme value
    that is exactly the same wherever it occurs, far from all other values, such as -9999.

    Raises
    ------
    ImageError
        None of the values that were read is valid.
    """
    values = _without_no_data(np.sort(_sample(channel, _SAMPLE)))
    low, high = float(values[0]), float(values[-1])
    if len(values) < _FEWEST:
        return low, high
    tail = min(max(_TAIL, 150 / min(channel.levels[-1].shape[:2])), 5)
    cut = math.ceil(tail / 100 * (len(values) - 1))
    bottom, top = float(values[cut]), float(values[-1 - cut])
    smooth = _filtered_range(channel, low, high)
    bottom, top = max(low, min(bottom, smooth[0])), min(high, max(top, smooth[1]))
    return (bottom, top) if bottom < top else (low, high)


def _sample(channel: Channel, count: int) -> NDArray[Any]:
    """Return valid values of all colors, every n-th where there are more than `count`."""
    level = channel.levels[-1]
    # An odd step, so that it does not follow one column of an image.
    step = max(1, -(-_n_read(level) * channel.n_colors // count)) | 1
    for every in (step, 1):  # valid values may be so few that each n-th of a band is none
        values = np.concatenate([_take(level, y, x, every) for y, x in _rectangles(level)])
        if values.size:
            return values
    raise _no_valid_pixel(level)


def count_lines(channel: Channel, low: float, high: float) -> int:
    """Return how many rows and columns of an image in memory are lines of a defective detector.

    One pixel wide, and along most of their length apart from both their neighbors by half of the
    range `low` to `high`, to the same side. Where such lines are many, they are what is shown.
    """
    level = channel.levels[-1]
    if not isinstance(level, np.ndarray) or min(level.shape[:2]) < _LEAST_SIDE:
        return 0
    half, found = (high / 2 - low / 2), 0
    for lines in (level, level.swapaxes(0, 1)):
        some = lines[:: -(-len(lines) // _CROSSINGS)]
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is no line
            numbers = np.ma.filled(some.astype(np.float64), np.nan)  # what is masked is none either
            halved = numbers.reshape(*some.shape[:2], -1)[..., :3] / 2
            values = halved.mean(axis=-1)
            before, after = np.diff(values[:, :-1]), -np.diff(values[:, 1:])
            apart = np.minimum(np.abs(before), np.abs(after))
            apart[~(np.sign(before) * np.sign(after) > 0)] = 0
        count = int((np.median(apart, axis=0) > half / 2).sum())
        found += count if count <= max(1, _FEW_LINES * values.shape[1]) else 0
    return found


def _take(level: Any, y: slice, x: slice, every: int) -> NDArray[Any]:
    """Return every n-th value of a rectangle, over all colors, without the invalid ones."""
    stored = stored_colors(level, y, x)
    if stored is None:
        values = load(level, y, x)
        return _valid_rows(values.colors, values.valid).reshape(-1)[::every]
    few = stored.reshape(-1)[::every]
    with np.errstate(over="ignore"):  # what double cannot hold becomes infinite, so invalid
        numbers = few.astype(working_type(few.dtype))
    finite: NDArray[Any] = numbers[np.isfinite(numbers)]
    return finite


def _without_no_data(values: NDArray[Any]) -> NDArray[Any]:
    """Return sorted values without extreme ones that stand for missing data."""
    while True:
        first = int(np.searchsorted(values, values[0], "right"))
        last = int(np.searchsorted(values, values[-1], "left"))
        if _is_no_data(values[first:], float(values[0])):
            values = values[first:]
        elif _is_no_data(values[:last], float(values[-1])):
            values = values[:last]
        else:
            return values


def _is_no_data(rest: NDArray[Any], extreme: float) -> bool:
    """Return whether an extreme value is no data, given all the other values, sorted.

    It is a hundred ranges away from them; or it is below them, and either the only negative value
    or a whole range away.
    """
    if np.count_nonzero(rest[1:] != rest[:-1]) < _DISTINCT - 1:
        return False
    low, high = float(rest[0]), float(rest[-1])
    span = high - low
    gap = low - extreme if extreme < low else extreme - high
    if gap > 100 * span:
        return True
    return extreme < min(low, 0) and gap > span / 10 and (low >= 0 or gap > span)


def _filtered_range(channel: Channel, low: float, high: float) -> tuple[float, float]:
    """Return the range after a 3 x 3 median filter, apart from what is not in `low` to `high`."""
    level = channel.levels[-1]
    smallest, largest = math.inf, -math.inf
    for y, x in _rectangles(level):
        filtered = _filtered(level, y, x, low, high)
        if filtered.size:
            smallest = min(smallest, float(filtered.min()))
            largest = max(largest, float(filtered.max()))
    return (low, high) if smallest > largest else (smallest, largest)


def _filtered(level: Any, y: slice, x: slice, low: float, high: float) -> NDArray[Any]:
    """Return the filtered values of a rectangle that are in a range."""
    from napari_clip_heatmap.imaging.opencv import cv2

    dtype = np.dtype(level.dtype)
    stored: NDArray[Any] | None = None
    if dtype in _FILTERED_AS_STORED:
        stored = stored_colors(level, y, x)
    if stored is not None:
        return _between(cv2.medianBlur(np.ascontiguousarray(stored), 3), low, high)
    if dtype in _SCALED_BY_OPENCV and _is_ordinary(low, high):
        stored = stored_colors(level, y, x)
    if stored is not None and np.isfinite(stored).all():
        # What is beyond the range becomes the first or the last step.
        scale = (_STEPS - 2) / (high - low)
        plain = np.ascontiguousarray(stored)
        steps = cv2.addWeighted(plain, scale, plain, 0, 1 - low * scale, dtype=cv2.CV_16U)
        unit = (_between(cv2.medianBlur(steps, 3), 1, _STEPS - 1) - 1.0) / (_STEPS - 2)
    else:
        unit = _filtered_in_parts(load(level, y, x), low, high)
    # Not low + unit * (high - low), whose difference may be no double.
    scaled: NDArray[Any] = low * (1 - unit) + high * unit
    return scaled


def _filtered_in_parts(values: Values, low: float, high: float) -> NDArray[Any]:
    """Return filtered values of any kind as parts of a range, away from what is not in it."""
    from napari_clip_heatmap.imaging.opencv import cv2

    unit = stretched(values.colors, low, high)
    steps = (unit * np.float32(_STEPS) + np.float32(0.5)).astype(np.uint16)
    counted = ((values.colors >= low) & (values.colors <= high)).all(axis=-1)
    if values.valid is not None:
        counted &= values.valid
    filtered: NDArray[Any] = cv2.medianBlur(steps, 3).reshape(steps.shape)
    if not counted.all():
        filtered = filtered[cv2.erode(counted.astype(np.uint8), _BOX) > 0]
    return _ends(filtered) / _STEPS


def _between(filtered: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    """Return the smallest and the largest of those values that are in a range."""
    if not (low <= filtered.min() and filtered.max() <= high):
        filtered = filtered[(filtered >= low) & (filtered <= high)]
    return _ends(filtered)


def _ends(values: NDArray[Any]) -> NDArray[Any]:
    return np.array([values.min(), values.max()] if values.size else [], np.float64)


def _is_ordinary(low: float, high: float) -> bool:
    """Return whether single precision has enough digits for steps of a range."""
    largest = max(abs(low), abs(high))
    return largest < 1e30 and high - low > max(largest * 1e-4, 1e-30)


def _no_valid_pixel(level: Any) -> ImageError:
    pixels = math.prod(level.shape[:2])
    return ImageError(
        f"the image has no valid pixel: all {pixels} are NaN, infinite or masked; "
        "choose an image, a slice or a channel that holds data"
    )


def _n_read(level: Any) -> int:
    pixels = math.prod(level.shape[:2])
    return pixels if pixels <= WHOLE else (_WINDOWS * _SIDE) ** 2


def _read_level(level: Any) -> Iterator[Values]:
    for y, x in _rectangles(level):
        yield load(level, y, x)


def _rectangles(level: Any) -> Iterator[tuple[slice, slice]]:
    """Yield what is read of a level: all of it in bands, or windows of a larger one."""
    height, width = level.shape[:2]
    if height * width <= WHOLE:
        rows = max(1, _BAND // width)
        for top in range(0, height, rows):
            yield slice(top, min(top + rows, height)), slice(0, width)
        return
    for y in _spread(height):
        for x in _spread(width):
            yield y, x


def _spread(length: int) -> list[slice]:
    side = min(_SIDE, length)
    starts = np.unique(np.linspace(0, length - side, _WINDOWS).astype(int))
    return [slice(int(start), int(start) + side) for start in starts]


def _valid_rows(numbers: NDArray[Any], valid: NDArray[np.bool_] | None) -> NDArray[Any]:
    return numbers.reshape(-1, numbers.shape[-1]) if valid is None else numbers[valid]


def _as_shown(values: Values) -> NDArray[Any]:
    opacity = 1 if values.opacity is None else values.opacity
    return _valid_rows(values.colors * opacity, values.valid)


def _mean_opacity(values: Values) -> float:
    if values.opacity is None:
        return 1.0
    return float(_valid_rows(values.opacity, values.valid).mean(dtype=np.float64))
