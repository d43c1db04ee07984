from __future__ import annotations

from unittest.mock import MagicMock

import pytest
from psygnal import Signal

from napari_clip_heatmap._napari.controllers.layer_style import StyleController
from napari_clip_heatmap._napari.controllers.layers import heatmaps_by_row
from napari_clip_heatmap._napari.controllers.run_control import RunController
from napari_clip_heatmap._napari.controllers.visibility import LayerVisibility
from napari_clip_heatmap._napari.views.prompt_model import PromptModel


@pytest.fixture
def table(state):
    return MagicMock(spec=PromptModel, rows=state.prompts)


class View:
    """The table's view: its current row, set by the user or by the dock."""

    chosen = Signal(str)

    def __init__(self):
        self.current = ""

    def show_current(self, key):
        self.current = key


@pytest.fixture
def view():
    return View()


@pytest.fixture
def visibility(state, viewer_model, table, view, session, immediate):
    """Of a dock whose image has been run; the first heatmap is visible."""
    RunController(state, viewer_model, session, StyleController(state, viewer_model)).start()
    visibility = LayerVisibility(state, viewer_model, table, view)
    yield visibility
    visibility.close()


def visible(viewer_model, cells):
    return [layer.visible for layer in heatmaps_by_row(viewer_model, cells).values()]


def test_the_table_shows_what_is_visible(visibility, viewer_model, cells, table):
    table.set_visible.assert_called_with({"r": True, "g": False, "b": False})
    heatmaps_by_row(viewer_model, cells)["g"].visible = True
    table.set_visible.assert_called_with({"r": True, "g": True, "b": False})


def test_a_tick_shows_and_hides_a_layer(visibility, viewer_model, cells):
    visibility.show("b", True)
    visibility.show("r", False)
    assert visible(viewer_model, cells) == [False, False, True]


def test_the_map_of_the_current_row_is_shown_instead_of_the_last_ones(
    visibility, viewer_model, cells, state, view
):
    ours = heatmaps_by_row(viewer_model, cells)
    visibility.choose("r")
    view.chosen.emit("g")
    assert visible(viewer_model, cells) == [False, True, False]
    assert viewer_model.layers.selection.active is ours["g"]
    viewer_model.layers.selection.active = ours["b"]  # in napari's list of layers
    assert state.current == view.current == "b"
    assert visible(viewer_model, cells) == [False, False, True]
    assert state.visible_rows == {"b"}


def test_a_ticked_map_stays_beside_the_current_one(visibility, viewer_model, cells, state):
    visibility.choose("r")
    visibility.show("b", True)
    visibility.choose("g")
    assert visible(viewer_model, cells) == [False, True, True]
    visibility.show("b", False)
    visibility.choose("r")
    assert visible(viewer_model, cells) == [True, False, False]
    heatmaps_by_row(viewer_model, cells)["g"].visible = True  # in napari's list of layers
    assert state.ticked == {"g"}


def test_stepping_goes_round(visibility, viewer_model, cells):
    visibility.choose("r")
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
    visibility.choose("g")
    state.image = viewer_model.add_image(pixels, name="other")
    table.set_visible.assert_called_with({})
    state.image = cells
    table.set_visible.assert_called_with({"r": False, "g": True, "b": False})


def test_keys_of_the_user_stay_the_users(state, viewer_model, table, view):
    def mine(_viewer):
        return None

    viewer_model.bind_key("N", mine)
    visibility = LayerVisibility(state, viewer_model, table, view)
    assert mine in viewer_model.keymap.values()
    visibility.close()
    assert [*viewer_model.keymap.values()] == [mine]
