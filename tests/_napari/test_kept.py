from __future__ import annotations

import gc
import weakref

from napari_clip_heatmap._napari.kept import Kept


class Thing:
    pass


def test_gives_back_what_it_was_given():
    kept = Kept()
    kept.put("a", 1, 10)
    kept.put("a", 2, 10)
    assert kept.get("a") == 2
    assert kept.get("b") is None
    kept.clear()
    assert kept.get("a") is None


def test_lets_go_of_what_was_not_used_for_longest_but_never_of_the_last():
    kept = Kept(limit=100)
    for key in "abc":
        kept.put(key, key, 40)
        kept.get("a")
    assert [kept.get(key) for key in "abc"] == ["a", None, "c"]
    kept.put("huge", "huge", 1000)
    assert [kept.get(key) for key in ("a", "c", "huge")] == [None, None, "huge"]
    kept.put("small", "small", 1)
    assert kept.get("small") == "small"


def test_keeps_alive_what_a_key_names_by_identity():
    kept, thing = Kept(), Thing()
    alive = weakref.ref(thing)
    kept.put(id(thing), 1, 10, alive=thing)
    del thing
    gc.collect()
    assert alive() is not None
    kept.clear()
    gc.collect()
    assert alive() is None
