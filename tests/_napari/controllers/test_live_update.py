from __future__ import annotations

from dataclasses import replace

import pytest

from napari_clip_heatmap._napari.controllers import live_update, run_control
from napari_clip_heatmap._napari.controllers.layer_sync import StyleController
from napari_clip_heatmap._napari.controllers.layers import heatmaps_by_row, own_heatmaps
from napari_clip_heatmap._napari.controllers.live_update import LiveUpdater, VerdictController
from napari_clip_heatmap._napari.controllers.run_control import RunController
from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY
from napari_clip_heatmap._napari.job.heatmap_stack import HeatmapStack
from napari_clip_heatmap._napari.state import PromptRow, RunStatus


@pytest.fixture
def updater(state, viewer_model, session, immediate, monkeypatch):
    """The updater of a dock whose image has been run."""
    monkeypatch.setattr(run_control, "show_error", pytest.fail)
    style = StyleController(state, viewer_model)
    RunController(state, viewer_model, session).start()
    updater = LiveUpdater(state, viewer_model, style)
    yield updater
    updater.close()


def rename(state, number, prompt):
    rows = list(state.prompts)
    rows[number] = replace(rows[number], prompt=prompt)
    state.prompts = tuple(rows)


def test_the_layers_follow_the_words_and_no_tile_is_encoded_again(
    updater, state, viewer_model, cells, model
):
    tiles, before = model.tiles, heatmaps_by_row(viewer_model, cells)
    rename(state, 1, "longer words")
    after = heatmaps_by_row(viewer_model, cells)
    assert after["g"] is before["g"]
    assert after["g"].name == "longer words"
    assert state.result.request.prompts == ("red", "longer words", "blue")
    assert model.tiles == tiles
    assert not updater.showing


def test_a_name_that_the_user_gave_stays_over_all_edits(updater, state, viewer_model, cells):
    layer = heatmaps_by_row(viewer_model, cells)["g"]
    layer.name = "mine"
    for words in ("longer words", "other words", "green"):
        rename(state, 1, words)
        assert layer.name == "mine"


def test_rows_that_go_take_their_layers_along_and_new_ones_bring_theirs(
    updater, state, viewer_model, cells
):
    state.prompts = state.prompts[1:]
    assert {*heatmaps_by_row(viewer_model, cells)} == {"g", "b"}
    state.prompts = (*state.prompts, PromptRow("yellow", key="y"))
    assert {*heatmaps_by_row(viewer_model, cells)} == {"g", "b", "y"}
    state.prompts = ()
    assert not own_heatmaps(viewer_model)


def test_words_that_cannot_be_read_leave_their_layer_as_it_is_and_the_others_follow(
    updater, state, viewer_model, cells
):
    before = state.result
    rename(state, 0, "red |")
    assert state.result is before
    rename(state, 1, "longer words")
    assert state.result.request.prompts == ("red", "longer words", "blue")
    assert len(own_heatmaps(viewer_model)) == 3
    rename(state, 0, "red | green")
    assert state.result.request.prompts == ("red | green", "longer words", "blue")


def test_nothing_follows_during_a_run_or_for_an_image_without_a_result(updater, state):
    before = state.result
    state.status = RunStatus.RUNNING
    rename(state, 0, "other")
    assert state.result is before
    state.status = RunStatus.IDLE
    assert state.result.request.prompts[0] == "other"
    state.forget_result(state.image)
    rename(state, 0, "another")
    assert state.result is None


def test_a_layer_that_the_user_removed_stays_away_until_it_is_wanted(
    updater, state, viewer_model, cells
):
    entry = (str(cells.unique_id), "g")
    state.removed_rows = frozenset({entry})
    viewer_model.layers.remove(heatmaps_by_row(viewer_model, cells)["g"])
    rename(state, 0, "other")
    assert {*heatmaps_by_row(viewer_model, cells)} == {"r", "b"}
    state.removed_rows = frozenset()
    assert {*heatmaps_by_row(viewer_model, cells)} == {"r", "g", "b"}


def test_the_map_that_is_seen_is_drawn_before_the_others_are_painted(
    updater, state, viewer_model, cells, monkeypatch
):
    state.current, state.visible_rows = "r", frozenset({"r"})
    ours = heatmaps_by_row(viewer_model, cells)
    done = []
    paint_rest = HeatmapStack.paint_rest

    def painted(stack):
        done.append("rest")
        paint_rest(stack)

    monkeypatch.setattr(HeatmapStack, "paint_rest", painted)
    ours["r"].events.set_data.connect(
        lambda _: done.append(ours["r"].metadata[METADATA_KEY]["prompt"])
    )
    rename(state, 0, "longer words")
    assert done[:2] == ["longer words", "rest"]
    assert ours["r"].name == "longer words"
    result = state.result.result
    for number, key in enumerate(result.keys):
        maps = result.stack.maps_at(())
        assert (ours[key].data == maps.window()[number]).all()


def test_words_that_are_taken_back_at_once_leave_the_first_maps(
    updater, state, viewer_model, cells, immediate, monkeypatch
):
    before = {key: each.data.copy() for key, each in heatmaps_by_row(viewer_model, cells).items()}
    # The newer request comes while work is done, whose result is then not delivered.
    monkeypatch.setattr(immediate, "_do", lambda job, work: [*work(lambda: True)])
    rename(state, 0, "longer words")
    monkeypatch.undo()
    rename(state, 0, "red")
    after = heatmaps_by_row(viewer_model, cells)
    for key, data in before.items():
        assert (after[key].data == data).all()


def test_a_map_that_takes_long_is_not_waited_for_the_next_time(updater, state, monkeypatch):
    waited = []

    class Noted(live_update._AwaitedResult):
        def __init__(self, seconds):
            super().__init__(seconds)
            waited.append(seconds)

    monkeypatch.setattr(live_update, "_AwaitedResult", Noted)
    for seconds, words in ((1e-9, "too slow"), (1e-9, "too slow again"), (30, "quick")):
        monkeypatch.setattr(live_update, "TOGETHER_SECONDS", seconds)
        rename(state, 1, words)
    assert waited == [1e-9, 0, 30]


def test_verdicts_are_found_once_for_each_result(updater, state, monkeypatch):
    made = []
    assess, make = live_update.assess_scoring, live_update.make_null_reference

    def counted(*args):
        made.append(args)
        return make(*args)

    monkeypatch.setattr(live_update, "make_null_reference", counted)
    controller = VerdictController(state)
    controller.update()
    assert [check.prompt for check in state.result.assessment.checks] == ["red", "green", "blue"]
    rename(state, 1, "longer words")
    assert len(state.result.assessment.checks) == 3
    assert len(made) == 1, "the reference of an encoding is made once"
    assert assess is live_update.assess_scoring
    controller.close()
    rename(state, 1, "green")
    assert state.result.assessment is None
