"""The range and the mean of an image's values, from a bounded number of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.channel import Channel, Values, load

__all__ = ["WHOLE", "Statistics", "percentiles", "summarise"]

WHOLE = 8192 * 8192
"""A level of at most this many pixels is looked at whole, so its range is exact."""

_BAND = 2**22
"""Pixels read at once."""

_WINDOWS, _SIDE = 8, 512
"""Of a larger level, windows of this side, spread evenly over both axes."""

_KEPT = 2**22
"""Values kept for percentiles."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """Range and mean of a channel's valid values, over all colours at once.

    Parameters
    ----------
    low, high : float
        Smallest and largest value of any colour, transparency aside.
    mean : float64 (1|3,)
        Mean colour as seen: transparent pixels count as black, so as much as they are opaque.
    opacity : float
        Mean opacity; 1 where there is no transparency.
    """

    low: float
    high: float
    mean: NDArray[np.float64]
    opacity: float


def summarise(channel: Channel) -> Statistics:
    """Return a channel's range and mean from its coarsest level.

    A level of up to `WHOLE` pixels is read whole, in bands. Of a larger one only windows on a
    regular grid are, so that the range may miss the rarest values; which pixels these are depends
    on the shape alone, not on how or where the values are stored.

    Raises
    ------
    ImageError
        None of the values looked at is valid.
    """
    low, high, count, opacity = math.inf, -math.inf, 0, 0.0
    mean = np.zeros(channel.n_colours)
    for values in _looked_at(channel.levels[-1]):
        colours = _valid_rows(values.colours, values.valid)  # [pixel, colour]
        if not len(colours):
            continue
        low, high = min(low, float(colours.min())), max(high, float(colours.max()))
        count += len(colours)
        share = len(colours) / count
        # Divided before they are added: values near the largest of their type have no sum.
        here = np.sum(_seen(values) / len(colours), axis=0, dtype=np.float64)
        mean = mean * (1 - share) + here * share
        opacity = opacity * (1 - share) + _mean_opacity(values) * share
    if not count:
        pixels = math.prod(channel.levels[-1].shape[:2])
        raise ImageError(
            f"the image has no valid pixel: all {pixels} are NaN, infinite or masked; "
            "choose an image, a slice or a channel that holds data"
        )
    return Statistics(low, high, mean, opacity)


def percentiles(channel: Channel, low: float, high: float) -> tuple[float, float]:
    """Return two percentiles of the same values, or of every n-th where they are very many.

    Raises
    ------
    ImageError
        None of the values looked at is valid.
    """
    level = channel.levels[-1]
    step = max(1, -(-_n_looked_at(level) * channel.n_colours // _KEPT))
    kept = [
        _valid_rows(values.colours, values.valid).reshape(-1)[::step]
        for values in _looked_at(level)
    ]
    values = np.concatenate(kept)
    if not values.size:
        summarise(channel)  # says so
    bottom, top = np.percentile(values, (low, high))
    return float(bottom), float(top)


def _n_looked_at(level: Any) -> int:
    pixels = math.prod(level.shape[:2])
    return pixels if pixels <= WHOLE else (_WINDOWS * _SIDE) ** 2


def _looked_at(level: Any) -> Iterator[Values]:
    height, width = level.shape[:2]
    if height * width <= WHOLE:
        rows = max(1, _BAND // width)
        for top in range(0, height, rows):
            yield load(level, slice(top, min(top + rows, height)), slice(0, width))
        return
    for y in _spread(height):
        for x in _spread(width):
            yield load(level, y, x)


def _spread(length: int) -> list[slice]:
    side = min(_SIDE, length)
    starts = np.unique(np.linspace(0, length - side, _WINDOWS).astype(int))
    return [slice(int(start), int(start) + side) for start in starts]


def _valid_rows(numbers: NDArray[Any], valid: NDArray[np.bool_] | None) -> NDArray[Any]:
    return numbers.reshape(-1, numbers.shape[-1]) if valid is None else numbers[valid]


def _seen(values: Values) -> NDArray[Any]:
    opacity = 1 if values.opacity is None else values.opacity
    return _valid_rows(values.colours * opacity, values.valid)


def _mean_opacity(values: Values) -> float:
    if values.opacity is None:
        return 1.0
    return float(_valid_rows(values.opacity, values.valid).mean(dtype=np.float64))
