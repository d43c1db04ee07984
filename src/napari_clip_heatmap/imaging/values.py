"""A rectangle of stored values, as numbers that can be averaged, and which of them count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Values", "load", "working_type"]


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
