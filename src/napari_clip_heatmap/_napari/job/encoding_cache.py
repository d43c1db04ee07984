"""What was encoded, whole or in part, as long as memory allows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_clip_heatmap.hashing import hash_arrays

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = ["LIMIT", "EncodingKey", "RecentEncodings", "content_key"]


LIMIT = 2 * 2**30
"""Bytes of encodings; beyond it those that were not used for longest go."""


@dataclass(frozen=True)
class EncodingKey:
    """What an encoding was made from.

    Parameters
    ----------
    settings : hashable
        Model, view, resolution.
    index : tuple of int
        The plane of a stack.
    content : hashable
        What the plane holds; see `content_key`.
    """

    settings: Hashable
    index: tuple[int, ...]
    content: Hashable


class RecentEncodings:
    """Encodings by what they were made from."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._encodings: OrderedDict[EncodingKey, tuple[Encoding, object]] = OrderedDict()

    def get(self, key: EncodingKey) -> Encoding | None:
        """Return an encoding, or None."""
        if key not in self._encodings:
            return None
        self._encodings.move_to_end(key)
        return self._encodings[key][0]

    def put(self, key: EncodingKey, encoding: Encoding, alive: object = None) -> None:
        """Keep an encoding, and with it `alive`, the object whose identity is in the key."""
        self._encodings[key] = (encoding, alive)
        self._encodings.move_to_end(key)
        while len(self._encodings) > 1 and self._bytes() > self._limit:
            self._encodings.popitem(last=False)

    def others(self, settings: Hashable) -> list[EncodingKey]:
        """Return the keys of all planes that were encoded with some settings."""
        return [key for key in self._encodings if key.settings == settings]

    def clear(self) -> None:
        """Remove all encodings."""
        self._encodings.clear()

    def _bytes(self) -> int:
        return sum(encoding.token_map.nbytes for encoding, _ in self._encodings.values())


SAMPLE = 32
"""Side of the window that is read of an array that is not in memory."""


def content_key(store: Any, index: tuple[int, ...]) -> tuple[object, ...]:
    """Return a key that no other content has.

    Of an array in memory all of the plane counts, so that one painted on in place is another. What
    lies elsewhere is not read for this: the object that reads it identifies it, which must be kept
    alive as long as the key, and a small window in its middle.

    Parameters
    ----------
    store : array-like
        The whole array, of a pyramid its finest level.
    index : tuple of int
        The plane, on the leading axes.
    """
    shape, dtype = tuple(store.shape), str(store.dtype)
    if isinstance(store, np.ndarray) and not isinstance(store, np.memmap):
        return (shape, dtype, index, hash_arrays([store[index]]))
    middle = tuple(
        slice(max(0, n // 2 - SAMPLE // 2), n // 2 + SAMPLE // 2 + 1)
        for n in shape[len(index) : len(index) + 2]
    )
    return (shape, dtype, index, id(store), hash_arrays([np.asarray(store[(*index, *middle)])]))
