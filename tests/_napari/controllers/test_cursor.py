from __future__ import annotations

from unittest.mock import MagicMock

import numpy as np
import pytest

from napari_clip_heatmap._napari.controllers.cursor import CursorReadout, position_on
from napari_clip_heatmap._napari.controllers.run_control import RunController
from napari_clip_heatmap._napari.views.prompt_model import PromptModel


@pytest.fixture
def table():
    return MagicMock(spec=PromptModel)


@pytest.fixture
def readout(state, viewer_model, session, immediate, table, qapp):
    RunController(state, viewer_model, session).start()
    readout = CursorReadout(state, viewer_model, table)
    yield readout
    readout.close()


def test_the_values_under_the_cursor_are_fractions_of_each_heatmaps_range(
    readout, viewer_model, table
):
    viewer_model.cursor.position = (48, 20)  # in the red stripe
    readout.refresh()
    (values,) = table.set_cursor_values.call_args.args
    assert max(values, key=values.get) == "r"
    assert all(0 <= value <= 1 for value in values.values())
    assert "red " in str(viewer_model.status)


def test_outside_the_image_there_is_nothing_to_read(readout, viewer_model, table):
    viewer_model.status = "napari's own"
    viewer_model.cursor.position = (48, 20)
    readout.refresh()
    viewer_model.cursor.position = (-5, 20)
    readout.refresh()
    table.set_cursor_values.assert_called_with({})
    assert viewer_model.status == "napari's own"


def test_an_image_that_was_not_run_has_no_values(readout, viewer_model, table, state, pixels):
    viewer_model.cursor.position = (48, 20)
    readout.refresh()
    state.image = viewer_model.add_image(pixels)
    readout.refresh()
    table.set_cursor_values.assert_called_with({})


def test_positions_are_of_the_plane_and_in_image_pixels(viewer_model):
    stack = viewer_model.add_image(np.zeros((4, 9, 9)), scale=(2, 0.5, 0.5))
    assert position_on(stack, (4, 1, 2)) == ((2,), 2.5, 4.5)
