"""What was encoded, whole or in part, as long as memory allows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = ["LIMIT", "Kept", "Key"]

LIMIT = 2 * 2**30
"""Bytes of encodings; beyond it those that were not used for longest go."""


@dataclass(frozen=True)
class Key:
    """What an encoding was made from.

    Parameters
    ----------
    settings : hashable
        Model, view, resolution.
    index : tuple of int
        The plane of a stack.
    content : hashable
        What the plane holds; see `fingerprint`.
    """

    settings: Hashable
    index: tuple[int, ...]
    content: Hashable


class Kept:
    """Encodings by what they were made from."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._encodings: OrderedDict[Key, tuple[Encoding, object]] = OrderedDict()

    def get(self, key: Key) -> Encoding | None:
        """Return an encoding, or None."""
        if key not in self._encodings:
            return None
        self._encodings.move_to_end(key)
        return self._encodings[key][0]

    def put(self, key: Key, encoding: Encoding, alive: object = None) -> None:
        """Keep an encoding, and `alive`, which its key names by identity, as long as it."""
        self._encodings[key] = (encoding, alive)
        self._encodings.move_to_end(key)
        while len(self._encodings) > 1 and self._bytes() > self._limit:
            self._encodings.popitem(last=False)

    def others(self, settings: Hashable) -> list[Key]:
        """Return the keys of all planes that were encoded with some settings."""
        return [key for key in self._encodings if key.settings == settings]

    def clear(self) -> None:
        """Let go of all."""
        self._encodings.clear()

    def _bytes(self) -> int:
        return sum(encoding.token_map.nbytes for encoding, _ in self._encodings.values())
