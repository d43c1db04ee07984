from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_clip_heatmap._napari import state as module
from napari_clip_heatmap._napari.state import DockState, LayerResult, RunStatus


def image(name):
    return SimpleNamespace(unique_id=name, name=name)


def result(layer, nbytes=0):
    encoding = SimpleNamespace(token_map=np.zeros(nbytes, np.uint8))
    return LayerResult(layer, None, SimpleNamespace(encodings={(): encoding}))


@pytest.fixture
def state():
    return DockState()


def test_a_field_tells_its_listeners_when_it_changes_and_only_then(state):
    heard = []
    state.events.status.connect(heard.append)
    state.status = RunStatus.RUNNING
    state.status = RunStatus.RUNNING
    state.message = "other"
    assert heard == [RunStatus.RUNNING]
    assert state.busy


def test_a_control_is_replaced_never_changed_in_place(state):
    heard, before = [], state.controls
    state.events.controls.connect(heard.append)
    state.set_control("score", "absolute")
    state.set_control("score", "absolute")
    assert heard == [{"score": "absolute"}]
    assert before == {}


def test_figures_belong_to_the_image_that_is_chosen(state):
    first, second = image("first"), image("second")
    state.image = first
    state.keep_result(result(first))
    assert state.result is state.results["first"]
    state.image = second
    assert state.result is None
    state.image = first
    assert state.result.image is first
    state.forget_result(first)
    assert state.result is None
    state.image = None
    assert state.result is None


def test_the_oldest_results_go_when_they_hold_too_much(state, monkeypatch):
    monkeypatch.setattr(module, "RESULT_BYTES", 250)
    for name in ("first", "second", "third"):
        state.keep_result(result(image(name), 100))
    assert [*state.results] == ["second", "third"]
    state.keep_result(result(image("second"), 100))  # a new one of it is the newest
    state.keep_result(result(image("large"), 1000))
    assert [*state.results] == ["large"]


def test_removed_rows_are_counted_for_each_image(state):
    first, second = image("first"), image("second")
    state.removed_rows = frozenset({("first", "a"), ("first", "b"), ("second", "a")})
    assert state.removed_rows_of(first) == {"a", "b"}
    state.forget_removed_rows(first)
    assert not state.removed_rows_of(first)
    assert state.removed_rows_of(second) == {"a"}
