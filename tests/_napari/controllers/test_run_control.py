from __future__ import annotations

from types import SimpleNamespace

import pytest

from napari_clip_heatmap._napari.controllers import run_control
from napari_clip_heatmap._napari.controllers.layers import own_heatmaps
from napari_clip_heatmap._napari.controllers.run_control import RunController
from napari_clip_heatmap._napari.job import run
from napari_clip_heatmap._napari.state import RunStatus


@pytest.fixture
def shown_errors(monkeypatch):
    shown = []
    monkeypatch.setattr(run_control, "show_error", shown.append)
    return shown


@pytest.fixture
def controller(state, viewer_model, session, immediate, shown_errors, monkeypatch):
    monkeypatch.setattr(run, "REPAINT", 0.0)  # each tile is a step
    monkeypatch.setattr(run, "REST", 0.0)
    controller = RunController(state, viewer_model, session)
    yield controller
    controller.close()


def test_a_run_ends_in_layers_a_result_and_an_idle_dock(controller, state, viewer_model, cells):
    statuses, steps = [], []
    state.events.status.connect(statuses.append)
    state.events.step.connect(steps.append)
    controller.start()
    assert statuses == [RunStatus.RUNNING, RunStatus.SHOWING, RunStatus.IDLE]
    assert [layer.name for layer in own_heatmaps(viewer_model, cells)] == ["red", "green", "blue"]
    assert state.result.result.complete
    assert "3 prompts" in state.message
    assert any(step is not None and step.total for step in steps)
    assert state.step is None


def test_figures_are_blank_from_the_beginning_of_a_run(controller, state):
    controller.start()
    before, seen = state.result, []
    state.events.status.connect(lambda status: seen.append((status, state.result)))
    state.notes = ("of the last run",)
    controller.start()
    assert seen[0] == (RunStatus.RUNNING, before)  # the status comes first, then all is blanked
    assert seen[1] == (RunStatus.SHOWING, None)
    assert state.result is not before


def test_a_run_that_fails_before_it_shows_anything_loses_nothing(
    controller, state, viewer_model, shown_errors
):
    controller.start()
    before, layers = state.result, own_heatmaps(viewer_model)
    state.set_control("score", "contrast")  # and there is no baseline
    controller.start()
    assert state.result.result is before.result
    assert own_heatmaps(viewer_model) == layers
    assert state.message.startswith("Not done: ")
    assert len(shown_errors) == 1
    assert state.status is RunStatus.IDLE


def test_what_cannot_be_requested_is_said_and_runs_nothing(controller, state, shown_errors, loads):
    state.prompts = ()
    controller.start()
    assert "no prompt" in state.message
    assert len(shown_errors) == 1
    assert not loads
    assert not state.busy


def test_a_cancelled_run_keeps_what_is_done(controller, state, model, immediate):
    def cancel_after_two(step):
        if step is not None and step.done == 2:
            controller.cancel()

    state.events.step.connect(cancel_after_two)
    controller.start()
    assert "Cancelled; Run goes on from here" in state.message
    assert state.result is not None
    assert not state.result.result.complete
    assert state.status is RunStatus.IDLE
    immediate.stop = False
    state.events.step.disconnect(cancel_after_two)
    done = model.tiles
    controller.start()
    assert state.result.result.complete
    assert model.tiles - done == len(state.result.result.stack.lattice.tiles) - done


def test_an_image_that_goes_during_a_run_stops_it(
    controller, state, viewer_model, cells, shown_errors
):
    def remove(step):
        if step is not None and step.done == 2 and cells in viewer_model.layers:
            viewer_model.layers.remove(cells)

    state.events.step.connect(remove)
    controller.start()
    assert "'cells' was removed during the run" in state.message
    assert "removed during the run" in shown_errors[0]
    assert str(cells.unique_id) not in state.results
    assert state.status is RunStatus.IDLE


def test_a_dock_that_closes_before_its_run_is_idle_is_left_alone(controller, state, monkeypatch):
    later = []
    monkeypatch.setattr(
        run_control, "QTimer", SimpleNamespace(singleShot=lambda _, do: later.append(do))
    )
    controller._job._on_end = lambda: None
    controller.start()
    statuses = []
    state.events.status.connect(statuses.append)
    controller.close()
    for do in later:
        do()
    assert later
    assert not statuses
