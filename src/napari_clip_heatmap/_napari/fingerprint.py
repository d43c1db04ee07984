"""Name a plane by what it holds, so that what was encoded before is known again."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np

__all__ = ["fingerprint"]

SAMPLE = 32
"""Side of the window that is read of an array that is not in memory."""


def fingerprint(store: Any, index: tuple[int, ...]) -> tuple[object, ...]:
    """Return a key that another content has another of.

    Of an array in memory all of the plane counts, so that one painted on in place is another. What
    lies elsewhere is not read for this: it is told by the object that reads it, which must be kept
    alive as long as the key, and by a small window in its middle.

    Parameters
    ----------
    store : array-like
        The whole array, of a pyramid its finest level.
    index : tuple of int
        The plane, on the leading axes.
    """
    shape, dtype = tuple(store.shape), str(store.dtype)
    if isinstance(store, np.ndarray) and not isinstance(store, np.memmap):
        return (shape, dtype, index, _digest(store[index]))
    middle = tuple(
        slice(max(0, n // 2 - SAMPLE // 2), n // 2 + SAMPLE // 2 + 1)
        for n in shape[len(index) : len(index) + 2]
    )
    return (shape, dtype, index, id(store), _digest(np.asarray(store[(*index, *middle)])))


def _digest(values: np.ndarray[Any, Any]) -> str:
    content = blake2b(digest_size=16)
    if values.size and not values.dtype.hasobject:  # what has no numbers is refused later
        content.update(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
    return content.hexdigest()
