from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import pytest

from napari_clip_heatmap._napari.importing import collection_paused

IN_A_THREAD = """
import gc, sys, threading
from napari_clip_heatmap._napari.importing import import_towers
thread = threading.Thread(target=import_towers)
thread.start()
thread.join()
assert "open_clip" in sys.modules
assert sys.modules.get("triton", True) is not None
assert gc.isenabled()
import torch
assert torch.ones(2).sum() == 2
import_towers()  # again costs nothing
"""


class Ring:
    def __init__(self):
        self.itself = self


@pytest.fixture(autouse=True)
def collection_enabled():
    enabled = gc.isenabled()
    gc.enable()
    yield
    (gc.enable if enabled else gc.disable)()


def test_imports_in_a_thread_and_leaves_python_as_it_was():
    subprocess.run([sys.executable, "-c", IN_A_THREAD], check=True, timeout=120)


def test_nothing_is_collected_meanwhile():
    collections = []
    gc.callbacks.append(lambda phase, info: collections.append(info["generation"]))
    try:
        with collection_paused():
            kept = [[] for _ in range(100_000)]
            assert not collections
    finally:
        gc.callbacks.pop()
    assert gc.isenabled()
    assert gc.get_count()[0] < len(kept)  # they count as old: no collection is due for them
    assert gc.get_freeze_count() == 0


def test_what_was_made_is_collected_later():
    with collection_paused():
        ring = weakref.ref(Ring())
    assert ring() is not None
    gc.collect()
    assert ring() is None


def test_collection_goes_on_after_an_error_and_stays_off_where_it_was():
    with pytest.raises(KeyError), collection_paused():
        raise KeyError
    assert gc.isenabled()
    gc.disable()
    with collection_paused():
        pass
    assert not gc.isenabled()
