from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace

import numpy as np

from napari_clip_heatmap._napari.job.encoding_cache import EncodingKey, RecentEncodings


class Thing:
    pass


def encoding(n_bytes):
    return SimpleNamespace(token_map=np.zeros(n_bytes, np.uint8))


def key(name, index=()):
    return EncodingKey("settings", index, name)


def test_gives_back_what_it_was_given():
    kept, first, second = RecentEncodings(), encoding(1), encoding(1)
    kept.put(key("a"), first)
    kept.put(key("a"), second)
    assert kept.get(key("a")) is second
    assert kept.get(key("b")) is None
    kept.clear()
    assert kept.get(key("a")) is None


def test_lets_go_of_what_was_not_used_for_longest_but_never_of_the_last():
    kept = RecentEncodings(limit=100)

    def there():
        return [name for name in "abcd" if kept.get(key(name)) is not None]

    for name in "abc":
        kept.put(key(name), encoding(40))
        kept.get(key("a"))
    assert there() == ["a", "c"]
    kept.put(key("d"), encoding(1000))
    assert there() == ["d"]


def test_finds_the_other_planes_of_a_stack():
    kept = RecentEncodings()
    for index in ((0,), (3,)):
        kept.put(key("a", index), encoding(1))
    kept.put(EncodingKey("other settings", (1,), "a"), encoding(1))
    assert [each.index for each in kept.others("settings")] == [(0,), (3,)]


def test_keeps_alive_what_a_key_names_by_identity():
    kept, thing = RecentEncodings(), Thing()
    alive = weakref.ref(thing)
    kept.put(key(id(thing)), encoding(1), alive=thing)
    del thing
    gc.collect()
    assert alive() is not None
    kept.clear()
    gc.collect()
    assert alive() is None
