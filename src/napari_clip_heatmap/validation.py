"""Checks of arguments, done once where a public function or record takes them.

Each check returns the value in the type that the code works with, or raises an error that names the
setting, what was given and what is accepted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import islice
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import ClipHeatmapError, SettingsError, shown_value

__all__ = [
    "ascending",
    "boolean",
    "function",
    "instance",
    "integer",
    "items",
    "number",
    "number_array",
    "numbers",
    "one_of",
    "refuse",
]

Error = type[ClipHeatmapError]


def refuse(name: str, value: object, accepted: str, error: Error = SettingsError) -> Exception:
    """Return the error for a value that is not accepted."""
    return error(f"{name} is {shown_value(value)}; accepted: {accepted}")


def number(
    name: str,
    value: object,
    low: float = -math.inf,
    high: float = math.inf,
    error: Error = SettingsError,
) -> float:
    """Return a finite real number from `low` to `high`; booleans and text are none."""
    accepted = "a finite number"
    if low > -math.inf:
        accepted += f" from {low:g}" + (f" to {high:g}" if high < math.inf else " up")
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise refuse(name, value, accepted, error)
    try:
        real = float(value)
    except (OverflowError, ValueError) as cause:
        raise refuse(name, value, accepted, error) from cause
    if not (math.isfinite(real) and low <= real <= high):
        raise refuse(name, value, accepted, error)
    return real


def integer(name: str, value: object, low: int, high: int, error: Error = SettingsError) -> int:
    """Return a whole number from `low` to `high`."""
    whole = isinstance(value, Integral) and not isinstance(value, bool | np.bool_)
    if not whole or not low <= int(value) <= high:  # type: ignore[call-overload]
        raise refuse(name, value, f"a whole number from {low} to {high}", error)
    return int(value)  # type: ignore[call-overload, no-any-return]


def boolean(name: str, value: object, error: Error = SettingsError) -> bool:
    """Return true or false; numbers and text are neither."""
    if not isinstance(value, bool | np.bool_):
        raise refuse(name, value, "True or False", error)
    return bool(value)


def one_of(name: str, value: object, accepted: Iterable[str], error: Error = SettingsError) -> str:
    """Return a word out of a list of accepted ones."""
    words = tuple(accepted)
    if not isinstance(value, str) or value not in words:
        raise refuse(name, value, ", ".join(map(repr, words)), error)
    return value


def numbers(
    name: str, value: object, count: int, error: Error = SettingsError
) -> tuple[float, ...]:
    """Return a sequence of so many finite numbers."""
    accepted = f"{count} finite numbers"
    parts = items(name, value, accepted, count, error)
    if len(parts) != count:
        raise refuse(name, value, accepted, error)
    try:
        return tuple(number(name, part, error=error) for part in parts)
    except error as cause:
        raise refuse(name, value, accepted, error) from cause


def items(
    name: str, value: object, accepted: str, most: int, error: Error = SettingsError
) -> tuple[Any, ...]:
    """Return the items of a sequence, up to one more than `most`; text and sets are none."""
    if isinstance(value, str | bytes | dict | set) or not isinstance(value, Iterable):
        raise refuse(name, value, accepted, error)
    try:
        return tuple(islice(value, most + 1))
    except Exception as cause:
        raise refuse(name, value, accepted, error) from cause


def ascending(name: str, value: object, error: Error = SettingsError) -> tuple[float, float]:
    """Return two finite numbers, the first below the second."""
    low, high = numbers(name, value, 2, error)
    if not low < high:
        raise refuse(name, value, "two finite numbers, the smaller first", error)
    return low, high


def number_array(
    name: str, value: object, shape: tuple[int | None, ...], error: Error = SettingsError
) -> NDArray[np.float64]:
    """Return a float64 array of finite numbers with a shape, in which None is any length."""
    lengths = ", ".join("n" if length is None else str(length) for length in shape)
    accepted = f"finite numbers of shape ({lengths})"
    try:
        array = np.asarray(value)
        real = array.astype(np.float64) if array.dtype.kind in "uif" else None
    except Exception as cause:
        raise refuse(name, value, accepted, error) from cause
    if real is None or real.ndim != len(shape) or not np.isfinite(real).all():
        raise refuse(name, value, accepted, error)
    if any(length not in (None, found) for length, found in zip(shape, real.shape, strict=True)):
        raise refuse(name, value, accepted, error)
    return real


def instance(
    name: str, value: object, kind: type | tuple[type, ...], accepted: str, error: Error
) -> Any:
    """Return a value of a type."""
    if not isinstance(value, kind):
        raise refuse(name, value, accepted, error)
    return value


def function(name: str, value: object, error: Error = SettingsError) -> Callable[..., Any]:
    """Return something that can be called."""
    if not callable(value):
        raise refuse(name, value, "a function", error)
    return value
