from __future__ import annotations

import gc
import weakref

import pytest

from napari_clip_heatmap._napari.controllers.background import no_full_collection
from napari_clip_heatmap._napari.startup import collection_paused
from napari_clip_heatmap._napari.widget import HeatmapWidget


class Ring:
    def __init__(self):
        self.itself = self


@pytest.fixture(autouse=True)
def kept_frozen():
    """Here `collection_paused` freezes and unfreezes, as it does for a user."""
    gc.unfreeze()


def test_no_full_collection_is_due_after_a_run_either():
    with no_full_collection():
        for _ in range(30):
            gc.collect(1)
        assert gc.get_count()[2] >= 30
        ring = weakref.ref(Ring())
    assert gc.get_count()[2] < 3
    assert gc.get_freeze_count() == 0
    gc.collect()
    assert ring() is None


@pytest.fixture(autouse=True)
def collection_enabled():
    enabled = gc.isenabled()
    gc.enable()
    yield
    (gc.enable if enabled else gc.disable)()


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


def test_a_collection_asked_for_meanwhile_looks_at_nothing_old():
    old = weakref.ref(Ring())
    with collection_paused():
        gc.collect()
        assert old() is not None
    gc.collect()
    assert old() is None


def test_only_small_collections_happen_and_the_rest_comes_later():
    seen = []
    gc.callbacks.append(lambda phase, info: seen.append(info["generation"]))
    before = gc.get_threshold()
    try:
        with no_full_collection():
            kept = [[[]] for _ in range(300_000)]
    finally:
        gc.callbacks.pop()
    assert kept
    assert seen
    assert 2 not in seen
    assert gc.get_threshold() == before


def test_a_closed_dock_and_its_encodings_leave_memory(viewer, session, qtbot, picture):
    kept = closed_after_a_run(viewer, session, qtbot, picture)
    qtbot.waitUntil(lambda: gc.collect() >= 0 and [each() for each in kept] == [None, None])


def closed_after_a_run(viewer, session, qtbot, picture):
    """Open the dock, run, close it; return weak references to it and to its result."""
    widget = HeatmapWidget(viewer, session)
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    widget["prompts"].value = ["red", "green"]
    viewer.add_image(picture, rgb=True)
    widget.start()
    qtbot.waitUntil(lambda: not widget.state.busy)
    viewer.window.remove_dock_widget(widget.native)
    widget.native.deleteLater()
    return weakref.ref(widget), weakref.ref(widget.state.result)
