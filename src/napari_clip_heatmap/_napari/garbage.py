"""Keep Python's garbage collection from stopping the window.

A full collection looks at every object there is, and all threads wait: with torch imported beside
napari that takes a quarter of a second, and half a second on a busy machine.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["collection_paused", "no_full_collection"]


@contextmanager
def collection_paused() -> Iterator[None]:
    """Let no garbage collection take time in this block, nor a full one follow soon after it.

    One that is asked for in the block, as napari does whenever a layer goes, finds next to nothing
    to look at. What was made in the block counts as old afterwards, as if it had outlived its
    collections already; the next full collection, whenever it is due, finds what is garbage.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        # To the permanent generation and back: all the way into the oldest one, uncounted.
        gc.freeze()
        gc.unfreeze()
        gc.enable()


@contextmanager
def no_full_collection() -> Iterator[None]:
    """Let only small collections happen in this block, which take a millisecond."""
    before = gc.get_threshold()
    gc.set_threshold(*before[:2], sys.maxsize >> 33)  # a C int
    try:
        yield
    finally:
        gc.set_threshold(*before)
