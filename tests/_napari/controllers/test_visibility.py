from __future__ import annotations

from unittest.mock import MagicMock

import pytest

from napari_clip_heatmap._napari.controllers.layer_style import StyleController
from napari_clip_heatmap._napari.controllers.layers import heatmaps_by_row
from napari_clip_heatmap._napari.controllers.run_control import RunController
from napari_clip_heatmap._napari.controllers.visibility import LayerVisibility
from napari_clip_heatmap._napari.views.prompt_model import PromptModel


@pytest.fixture
def table(state):
    return MagicMock(spec=PromptModel, rows=state.prompts)


@pytest.fixture
def visibility(state, viewer_model, table, session, immediate):
    """Of a dock whose image has been run; the first heatmap is visible."""
    RunController(state, viewer_model, session, StyleController(state, viewer_model)).start()
    visibility = LayerVisibility(state, viewer_model, table)
    yield visibility
    visibility.close()


def visible(viewer_model, cells):
    return [layer.visible for layer in heatmaps_by_row(viewer_model, cells).values()]


def test_the_table_shows_what_is_visible(visibility, viewer_model, cells, table):
    table.set_visible.assert_called_with({"r": True, "g": False, "b": False}, "")
    heatmaps_by_row(viewer_model, cells)["g"].visible = True
    table.set_visible.assert_called_with({"r": True, "g": True, "b": False}, "")


def test_a_tick_shows_and_hides_a_layer(visibility, viewer_model, cells):
    visibility.show("b", True)
    visibility.show("r", False)
    assert visible(viewer_model, cells) == [False, False, True]


def test_solo_gives_back_what_was_visible_before(visibility, viewer_model, cells, state):
    visibility.show("b", True)
    visibility.solo("g")
    assert visible(viewer_model, cells) == [False, True, False]
    assert state.solo == "g"
    visibility.solo("b")
    visibility.solo("b")
    assert visible(viewer_model, cells) == [True, False, True]
    assert state.solo == ""


def test_a_layer_shown_by_hand_ends_solo(visibility, viewer_model, cells, state):
    visibility.solo("g")
    heatmaps_by_row(viewer_model, cells)["r"].visible = True
    assert state.solo == ""
    assert visible(viewer_model, cells) == [True, True, False]


def test_stepping_goes_round(visibility, viewer_model, cells):
    for expected in ([False, True, False], [False, False, True], [True, False, False]):
        visibility.step(1)
        assert visible(viewer_model, cells) == expected
    visibility.step(-1)
    assert visible(viewer_model, cells) == [False, False, True]


def test_a_removed_layer_is_noted_and_wanted_again_by_its_tick(
    visibility, viewer_model, cells, state
):
    viewer_model.layers.remove(heatmaps_by_row(viewer_model, cells)["g"])
    assert state.removed_rows_of(cells) == {"g"}
    visibility.show("g", True)
    assert state.removed_rows_of(cells) == set()


def test_another_image_has_ticks_of_its_own(visibility, viewer_model, cells, state, table, pixels):
    visibility.solo("g")
    state.image = viewer_model.add_image(pixels, name="other")
    table.set_visible.assert_called_with({}, "")
    state.image = cells
    table.set_visible.assert_called_with({"r": False, "g": True, "b": False}, "")


def test_keys_of_the_user_stay_the_users(state, viewer_model, table):
    def mine(_viewer):
        return None

    viewer_model.bind_key("N", mine)
    visibility = LayerVisibility(state, viewer_model, table)
    assert mine in viewer_model.keymap.values()
    visibility.close()
    assert [*viewer_model.keymap.values()] == [mine]
