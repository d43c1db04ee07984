from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from napari_clip_heatmap._napari.controllers.layers import heatmaps_by_row
from napari_clip_heatmap._napari.controllers.live_update import (
    VerdictController,
    VerdictText,
    text_overlay_of,
)
from napari_clip_heatmap._napari.controllers.run_control import RunController
from napari_clip_heatmap._napari.state import RunStatus
from napari_clip_heatmap.pipeline.trust import Trust


@pytest.fixture
def ran(state, viewer_model, session, immediate):
    """A dock whose image has been run, with its text."""
    text = VerdictText(state, viewer_model)
    RunController(state, viewer_model, session).start()
    yield text
    text.close()


def test_the_visible_maps_are_named_with_their_trust(ran, state, viewer_model, cells):
    assert text_overlay_of(viewer_model).text == "red"
    assert text_overlay_of(viewer_model).visible
    VerdictController(state).update()
    word = state.result.trust["r"]
    assert text_overlay_of(viewer_model).text == f"red - trust: {word}"
    heatmaps_by_row(viewer_model, cells)["b"].visible = True
    state.visible_rows = frozenset({"r", "b"})
    lines = text_overlay_of(viewer_model).text.splitlines()
    assert lines == [f"red - trust: {word}", f"blue - trust: {state.result.trust['b']}"]
    state.missing_slice = (3,)
    assert text_overlay_of(viewer_model).text.startswith("red - this slice is not computed")


def test_side_by_side_only_the_maps_are_named_that_are_not_to_be_trusted(
    ran, state, viewer_model, cells
):
    trust = [SimpleNamespace(trust=each) for each in (Trust.GOOD, Trust.NONE, Trust.GOOD)]
    assessment = SimpleNamespace(checks=tuple(trust), notes=())
    state.keep_result(replace(state.result, assessments={(): assessment}))
    for layer in heatmaps_by_row(viewer_model, cells).values():
        layer.visible = True
    ran.update()
    assert len(text_overlay_of(viewer_model).text.splitlines()) == 3
    state.set_control("compare", True)
    assert text_overlay_of(viewer_model).text == "green - trust: none"


def test_while_a_run_is_at_work_its_maps_are_a_preview(ran, state, viewer_model, cells):
    VerdictController(state).update()
    state.status = RunStatus.RUNNING
    assert text_overlay_of(viewer_model).text.startswith("red - trust: "), "another image is run"
    state.forget_result(cells)  # as a run does with its image
    assert text_overlay_of(viewer_model).text == "red - preview"


def test_a_text_of_the_user_stays(state, viewer_model, cells):
    text_overlay_of(viewer_model).text = "mine"
    text = VerdictText(state, viewer_model)
    text.update()
    text.close()
    assert text_overlay_of(viewer_model).text == "mine"


def test_without_a_map_nothing_is_written(ran, state, viewer_model, cells):
    heatmaps_by_row(viewer_model, cells)["r"].visible = False
    ran.update()
    assert not text_overlay_of(viewer_model).visible
    state.prompts = tuple(replace(row, prompt="x") for row in state.prompts)
    ran.close()
    assert text_overlay_of(viewer_model).text == ""
