from __future__ import annotations

from unittest.mock import MagicMock

import numpy as np
import pytest

from napari_clip_heatmap._napari.controllers.layers import own_heatmaps
from napari_clip_heatmap._napari.controllers.run_control import RunController, SliceFollower
from napari_clip_heatmap._napari.state import RunStatus


@pytest.fixture
def stack(state, viewer_model, picture, session, immediate):
    """A stack of three slices, of which the first has been run."""
    stack = viewer_model.add_image(np.stack([picture] * 3), name="stack")
    state.image = stack
    viewer_model.dims.set_point(0, 0)
    RunController(state, viewer_model, session).start()
    assert state.result is not None
    return stack


@pytest.fixture
def follower(stack, state, viewer_model, qapp):
    start = MagicMock()
    follower = SliceFollower(state, viewer_model, start)
    follower.start = start
    yield follower
    follower.close()


def test_a_slice_that_is_not_computed_is_named_and_offered(follower, state, viewer_model):
    assert state.missing_slice is None
    viewer_model.dims.set_point(0, 2)
    assert state.missing_slice == (2,)
    assert "Slice 2 is not computed" in state.message
    viewer_model.dims.set_point(0, 0)
    assert state.missing_slice is None
    follower.start.assert_not_called()


def test_with_follow_ticked_it_is_computed_once_the_slider_rests(
    follower, state, viewer_model, qtbot
):
    state.set_control("follow", True)
    viewer_model.dims.set_point(0, 1)
    viewer_model.dims.set_point(0, 2)
    qtbot.waitUntil(lambda: follower.start.called, timeout=5000)
    follower.start.assert_called_once()
    state.status = RunStatus.RUNNING
    state.status = RunStatus.IDLE  # it failed
    qtbot.wait(400)
    follower.start.assert_called_once()


def test_a_single_image_has_no_slices(state, viewer_model, qapp):
    follower = SliceFollower(state, viewer_model, MagicMock())
    follower.update()
    assert state.missing_slice is None
    follower.close()


def test_maps_go_where_a_margin_draws_the_stack_and_back(stack, follower, state, viewer_model):
    stack.projection_mode = "mean"
    viewer_model.add_points([(-9, 0, 0), (9, 0, 0)])
    (heatmap, *_) = own_heatmaps(viewer_model, stack)
    viewer_model.dims.set_point(0, -2)
    np.testing.assert_allclose(heatmap.translate, stack.translate)
    viewer_model.dims.margin_right = (3, 0, 0)
    np.testing.assert_allclose(heatmap.translate, stack.translate + np.array([-2, 0, 0]))
    viewer_model.dims.set_point(0, -7)  # the margin does not reach it from there
    np.testing.assert_allclose(heatmap.translate, stack.translate)
    viewer_model.dims.set_point(0, -1)
    viewer_model.dims.set_point(0, 1)
    np.testing.assert_allclose(heatmap.translate, stack.translate)
