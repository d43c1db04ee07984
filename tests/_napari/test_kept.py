from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass

import numpy as np

from napari_clip_heatmap._napari.kept import Kept


@dataclass(frozen=True, eq=False)
class Encoded:
    token_map: np.ndarray


class Thing:
    pass


def encoded(n_bytes):
    return Encoded(np.zeros(n_bytes, np.uint8))


def test_gives_back_what_it_was_given():
    kept, first, second = Kept(), encoded(10), encoded(10)
    kept.put("a", first)
    kept.put("a", second)
    assert kept.get("a") is second
    assert kept.get("b") is None
    kept.clear()
    assert kept.get("a") is None


def test_lets_go_of_what_was_not_used_for_longest_but_never_of_the_last():
    kept = Kept(limit=100)
    for key in "abc":
        kept.put(key, encoded(40))
        kept.get("a")
    assert [kept.get(key) is not None for key in "abc"] == [True, False, True]
    kept.put("huge", encoded(1000))
    assert [kept.get(key) is not None for key in ("a", "c", "huge")] == [False, False, True]
    kept.put("small", encoded(1))
    assert kept.get("small") is not None


def test_keeps_alive_what_a_key_names_by_identity():
    kept, thing = Kept(), Thing()
    alive = weakref.ref(thing)
    kept.put(id(thing), encoded(10), alive=thing)
    del thing
    gc.collect()
    assert alive() is not None
    kept.clear()
    gc.collect()
    assert alive() is None
