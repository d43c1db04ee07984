"""The prompt panel in a real viewer: maps follow the words, layers follow the table."""

from __future__ import annotations

from unittest.mock import MagicMock

import numpy as np
import pytest
from napari.utils.colormaps import AVAILABLE_COLORMAPS
from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLineEdit

from napari_clip_heatmap._napari.colormaps import SIGNED
from napari_clip_heatmap._napari.controllers.layers import heatmaps_by_row, own_heatmaps, row_key_of
from napari_clip_heatmap._napari.controllers.prompts import LayerVisibility
from napari_clip_heatmap._napari.controllers.run_control import RunController
from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY
from napari_clip_heatmap._napari.views.choices import PROMPTS_ONLY
from napari_clip_heatmap._napari.views.prompt_cells import PromptColumn
from napari_clip_heatmap._napari.views.prompt_model import PromptModel
from napari_clip_heatmap._napari.widget import HeatmapWidget

PROMPTS = ["red", "green", "blue"]


@pytest.fixture
def image(viewer, widget, picture, qtbot):
    """The picture, answered."""
    image = viewer.add_image(picture, name="cells")
    widget.start()
    qtbot.waitUntil(lambda: widget["run"].enabled, timeout=60_000)
    return image


def names(viewer):
    return [layer.name for layer in own_heatmaps(viewer)]


def key(widget, place):
    return widget["prompts"].rows[place].key


def layer_of(viewer, key):
    (layer,) = (layer for layer in own_heatmaps(viewer) if row_key_of(layer) == key)
    return layer


def follow(widget, qtbot, change):
    """Change something, and wait until the maps have followed."""
    before = widget.state.result.result
    change()
    qtbot.waitUntil(
        lambda: (
            (now := widget.state.result) is not None
            and now.result is not before
            and not widget.live_updater.showing
        ),
        timeout=20_000,
    )


def shown(widget):
    model = widget["prompts"].model
    boxes = [model.index(n, PromptColumn.SHOWN) for n in range(model.rowCount())]
    return [bool(model.data(box, 10).value) for box in boxes]  # 10: Qt's role of a check box


def test_typing_renames_a_layer_and_repaints_it_without_the_image_tower(
    viewer, widget, image, model, qtbot
):
    tiles, layer = model.tiles, layer_of(viewer, key(widget, 1))
    before = layer.data.copy()
    widget["prompts"].view.open(1)
    editor = widget["prompts"].view.findChild(QLineEdit)
    editor.selectAll()
    follow(widget, qtbot, lambda: qtbot.keyClicks(editor, "longer words"))
    qtbot.waitUntil(
        lambda: layer.metadata[METADATA_KEY]["prompt"] == "longer words", timeout=20_000
    )
    assert layer_of(viewer, key(widget, 1)) is layer
    assert names(viewer) == ["red", "longer words", "blue"]
    assert not np.array_equal(layer.data, before)
    assert model.tiles == tiles
    widget.start()
    qtbot.waitUntil(lambda: widget["run"].enabled, timeout=60_000)
    assert model.tiles == tiles
    again = layer_of(viewer, key(widget, 1))
    np.testing.assert_array_equal(again.data, layer.data)


def test_rows_added_removed_and_moved_are_followed(viewer, widget, image, qtbot):
    table = widget["prompts"]
    red = layer_of(viewer, key(widget, 0))
    follow(widget, qtbot, lambda: table.model.insert(["some more"], 1))
    assert names(viewer) == ["red", "some more", "green", "blue"]
    follow(widget, qtbot, lambda: table.model.remove([2, 3]))
    assert names(viewer) == ["red", "some more"]
    follow(widget, qtbot, table.model.stack.undo)
    assert {*names(viewer)} == {"red", "green", "blue", "some more"}
    follow(widget, qtbot, lambda: table.model.move(0, 3))
    assert layer_of(viewer, key(widget, 3)) is red
    assert red.metadata[METADATA_KEY]["prompts"] == ["some more", "green", "blue", "red"]


def test_typing_in_a_new_row_is_not_interrupted(viewer, widget, image, qtbot):
    view = widget["prompts"].view
    view.setCurrentIndex(widget["prompts"].model.index(2, PromptColumn.PROMPT))
    view.add()
    editor = view.findChildren(QLineEdit)[-1]
    for letter in "abc":
        follow(widget, qtbot, lambda letter=letter: qtbot.keyClicks(editor, letter))
        assert view.currentIndex().row() == 3
    assert names(viewer) == [*PROMPTS, "abc"]
    assert [layer.name for layer in own_heatmaps(viewer) if layer.visible] == ["abc"]
    assert widget.state.current == key(widget, 3)


def test_a_name_that_the_user_gave_stays(viewer, widget, image, qtbot):
    layer = layer_of(viewer, key(widget, 0))
    layer.name = "mine"
    follow(widget, qtbot, lambda: widget["prompts"].model.rewrite(0, "other"))
    assert layer.name == "mine"
    assert layer.metadata[METADATA_KEY]["prompt"] == "other"


def test_no_row_left_leaves_no_layer_and_undo_brings_them_back(viewer, widget, image, qtbot):
    widget["prompts"].model.remove([0, 1, 2])
    assert names(viewer) == []
    follow(widget, qtbot, widget["prompts"].model.stack.undo)
    assert names(viewer) == PROMPTS


def test_a_row_that_cannot_be_read_is_marked_and_the_others_go_on(viewer, widget, image, qtbot):
    model = widget["prompts"].model
    model.rewrite(0, "red |")
    assert names(viewer) == PROMPTS
    reason = model.index(0, PromptColumn.PROMPT).data(Qt.ItemDataRole.ToolTipRole)
    assert "Not run" in reason
    assert model.index(0, PromptColumn.PROMPT).data(Qt.ItemDataRole.ForegroundRole) is not None
    follow(widget, qtbot, lambda: model.rewrite(1, "some more"))
    assert names(viewer) == ["red", "some more", "blue"]
    widget.start()
    qtbot.waitUntil(lambda: widget["run"].enabled, timeout=60_000)
    assert names(viewer) == ["red", "some more", "blue"]
    follow(widget, qtbot, lambda: model.rewrite(0, "red | green"))
    assert names(viewer)[0] == "red | green"
    assert model.index(0, PromptColumn.PROMPT).data(Qt.ItemDataRole.ForegroundRole) is None


def test_score_baseline_and_templates_are_followed(viewer, widget, image, qtbot):
    layer = layer_of(viewer, key(widget, 0))
    follow(widget, qtbot, lambda: setattr(widget["score"], "value", "softmax"))
    assert layer.metadata[METADATA_KEY]["unit"] == "probability"
    assert 0 <= np.nanmin(layer.data) < np.nanmax(layer.data) <= 1
    follow(widget, qtbot, lambda: setattr(widget["templates"], "value", "my {}; a {}"))
    assert layer.metadata[METADATA_KEY]["direction"] == {"texts": ["my red", "a red"], "minus": []}


def test_a_layer_the_user_removed_stays_away_until_it_is_asked_for(viewer, widget, image, qtbot):
    green = key(widget, 1)
    viewer.layers.remove(layer_of(viewer, green))
    follow(widget, qtbot, lambda: widget["prompts"].model.rewrite(0, "other"))
    assert names(viewer) == ["other", "blue"]
    follow(widget, qtbot, lambda: widget["prompts"].model.show.emit(green, True))
    assert "green" in names(viewer)


def test_boxes_and_layers_agree(viewer, widget, image):
    layers = [layer_of(viewer, key(widget, n)) for n in range(3)]
    assert shown(widget) == [True, False, False]
    widget["prompts"].model.show.emit(key(widget, 1), True)
    assert layers[1].visible
    layers[0].visible = False
    assert shown(widget) == [False, True, False]
    widget["hide_all"].native.click()
    assert shown(widget) == [False] * 3


def test_boxes_are_ticked_while_a_run_goes_on(viewer, progressive_session, picture, model, qtbot):
    widget = HeatmapWidget(viewer, progressive_session)
    viewer.window.add_dock_widget(widget)
    widget["prompts"].value = PROMPTS
    viewer.add_image(picture, name="cells")
    model.hold_after = 1  # the coarse look
    model.gate.clear()
    widget.start()
    qtbot.waitUntil(lambda: len(own_heatmaps(viewer)) == 3, timeout=60_000)
    qtbot.waitUntil(lambda: shown(widget) == [True, False, False], timeout=60_000)
    model.gate.set()
    qtbot.waitUntil(lambda: widget["run"].enabled, timeout=60_000)
    assert shown(widget) == [True, False, False]


def test_row_map_and_active_layer_go_in_step_from_every_side(viewer, widget, image, qtbot):
    layers = [layer_of(viewer, key(widget, n)) for n in range(3)]
    view = widget["prompts"].view

    def in_step(number):
        assert [layer.visible for layer in layers] == [n == number for n in range(3)]
        assert viewer.layers.selection.active is layers[number]
        assert view.currentIndex().row() == number
        assert widget.state.current == key(widget, number)
        assert shown(widget) == [n == number for n in range(3)]

    spot = view.visualRect(view.model().index(1, PromptColumn.PROMPT)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    in_step(1)
    qtbot.keyClick(view, Qt.Key.Key_Down)
    in_step(2)
    qtbot.keyClick(view, Qt.Key.Key_Up)
    in_step(1)
    viewer.layers.selection.active = layers[0]
    in_step(0)
    for pressed, expected in (("N", 1), ("N", 2), ("N", 0), ("Shift+N", 2)):
        (slot,) = (slot for bound, slot in viewer.keymap.items() if str(bound) == pressed)
        slot(viewer)
        in_step(expected)
    qtbot.keyClick(view, Qt.Key.Key_Space)
    assert not layers[2].visible
    qtbot.keyClick(view, Qt.Key.Key_Space)
    in_step(2)


def test_a_key_that_the_user_bound_stays_the_users(viewer, session, qtbot):
    def mine(_viewer):
        return None

    viewer.bind_key("N", mine)
    widget = HeatmapWidget(viewer, session)
    viewer.window.add_dock_widget(widget)
    assert mine in viewer.keymap.values()
    widget.native.deleteLater()
    qtbot.waitUntil(lambda: widget.closed)
    assert [*viewer.keymap.values()] == [mine]


def test_colours_scale_and_colour_bar(viewer, widget, image, qtbot):
    layers = [layer_of(viewer, key(widget, n)) for n in range(3)]
    widget["scale"].value = "own"
    widget["prompts"].model.set_color(1, "magma")
    assert [layer.colormap.name for layer in layers] == ["jet", "magma", "jet"]
    widget["scale"].value = "shared"
    assert len({layer.contrast_limits[1] for layer in layers}) == 1
    layers[0].contrast_limits = (0, layers[0].contrast_limits[1] / 2)
    assert layers[2].contrast_limits == layers[0].contrast_limits
    widget["scale"].value = "own"
    assert len({layer.contrast_limits[1] for layer in layers}) == 3
    widget["colormap"].value = SIGNED
    assert layers[0].contrast_limits[0] == -layers[0].contrast_limits[1]
    assert layers[1].colormap.name == "magma"
    widget["transparent_low"].value = True
    assert layers[1].colormap.colors[0, 3] == 0
    widget["color_bar"].value = True
    assert all(layer.colorbar.visible for layer in layers)
    follow(widget, qtbot, lambda: widget["prompts"].model.rewrite(0, "other"))
    assert layers[0].contrast_limits[0] == -layers[0].contrast_limits[1]
    assert layers[0].colormap.name == f"{SIGNED}, clear < 60%"


def test_a_row_of_a_set_with_a_colormap_of_naparis_gets_it(viewer, widget, image, qtbot, tmp_path):
    name = "twilight"
    assert name in AVAILABLE_COLORMAPS
    path = tmp_path / "set.yaml"
    path.write_text(f"templates: photo\nprompts: [red, {{prompt: a, colormap: {name}}}]")
    follow(widget, qtbot, lambda: widget["prompts"].load(path))
    assert viewer.layers["a"].colormap.name.startswith(name)
    assert widget["templates"].value == "photo"


def test_the_values_beneath_the_cursor_are_in_the_table_and_the_status_bar(
    viewer, widget, image, qtbot
):
    def here():
        model = widget["prompts"].model
        return [model.index(n, PromptColumn.CURSOR).data() for n in range(3)]

    def status():
        status = viewer.status
        return status if isinstance(status, str) else status["coordinates"]

    viewer.cursor.position = (48, 20)  # on the red stripe
    qtbot.waitUntil(lambda: here()[0] != "", timeout=10_000)
    red = viewer.layers["red"]
    value = red.data[48, 20]
    low, high = red.data.min(), red.data.max()  # the map's own range, whatever the scale
    assert here()[0] == f"{100 * (value - low) / (high - low):.0f} %"
    assert f"red {value:.2g}" in status()
    assert status().index("red") < status().index("green")
    viewer.cursor.position = (-30, 20)
    qtbot.waitUntil(lambda: here() == [""] * 3, timeout=10_000)
    assert "green" not in status()


@pytest.mark.parametrize("words", [PROMPTS_ONLY, "organelles"])
def test_a_click_ranks_the_prompts_and_a_list_of_words(viewer, widget, image, qtbot, words):
    class Event:
        type, button, position = "mouse_press", 1, (48, 100)  # on the blue stripe

    event = Event()
    (watch,) = (each for each in viewer.mouse_drag_callbacks if "_on_press" in each.__qualname__)
    click = watch(viewer, event)
    next(click)
    event.type = "mouse_release"
    assert next(click, "done") == "done"
    qtbot.waitUntil(lambda: widget["ranked"].value != "", timeout=20_000)
    if words != PROMPTS_ONLY:
        before = widget["ranked"].value
        widget["ranking_list"].value = words  # ranks the same place anew
        qtbot.waitUntil(lambda: widget["ranked"].value != before, timeout=20_000)
    lines = widget["ranked"].value.splitlines()
    assert lines[0].startswith("At y = 48, x = 100")
    if words == PROMPTS_ONLY:
        assert lines[1].startswith("1. blue")
        assert len(lines) == 4
    else:
        assert any("mitochondria" in line for line in lines)


def test_a_drag_ranks_nothing(viewer, widget, image, qtbot):
    class Event:
        type, button, position = "mouse_press", 1, (48, 100)

    event = Event()
    (watch,) = (each for each in viewer.mouse_drag_callbacks if "_on_press" in each.__qualname__)
    drag = watch(viewer, event)
    next(drag)
    event.type = "mouse_move"
    next(drag)
    event.type = "mouse_release"
    assert next(drag, "done") == "done"
    qtbot.wait(300)
    assert widget["ranked"].value == ""


def test_closing_lets_go_of_the_viewer(viewer, widget, image, qtbot):
    widget.native.deleteLater()
    qtbot.waitUntil(lambda: widget.closed)
    assert not any("_on_press" in each.__qualname__ for each in viewer.mouse_drag_callbacks)
    assert not any(str(bound) in ("N", "Shift+N") for bound in viewer.keymap)
    viewer.cursor.position = (48, 20)
    layer = own_heatmaps(viewer)[0]
    layer.visible = not layer.visible


def test_layers_of_another_image_are_left_alone(viewer, widget, image, picture, qtbot):
    first = own_heatmaps(viewer)
    other = viewer.add_image(picture[::-1].copy(), name="others")
    widget["image"].value = other
    widget.start()
    qtbot.waitUntil(lambda: widget["run"].enabled, timeout=60_000)
    first[1].visible = True
    second = own_heatmaps(viewer, other)
    assert len(second) == 3
    widget.visibility.choose(key(widget, 2))
    assert [layer.visible for layer in second] == [False, False, True]
    assert [layer.name for layer in second] == [f"{each} - others" for each in PROMPTS]
    assert first[1].visible
    follow(widget, qtbot, lambda: widget["prompts"].model.rewrite(0, "other"))
    assert names(viewer).count("red") == 1
    assert first[0].metadata[METADATA_KEY]["prompt"] == "red"


def test_a_set_is_saved_with_the_templates_in_use(viewer, widget, image, tmp_path):
    widget["templates"].value = "my {}; a {}"
    widget["prompts"].save(tmp_path / "mine.yaml")
    widget["templates"].value = "plain"
    widget["prompts"].load(tmp_path / "mine.yaml")
    assert widget["templates"].value == "my {}; a {}"


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
    RunController(state, viewer_model, session).start()
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


def test_a_map_that_is_visible_is_not_drawn_again(visibility, state, viewer_model, cells):
    state.current = ""
    drawn = []
    heatmaps_by_row(viewer_model, cells)["r"].events.set_data.connect(drawn.append)
    visibility.choose("r")
    assert not drawn


def test_keys_of_the_user_stay_the_users(state, viewer_model, table, view):
    def mine(_viewer):
        return None

    viewer_model.bind_key("N", mine)
    visibility = LayerVisibility(state, viewer_model, table, view)
    assert mine in viewer_model.keymap.values()
    visibility.close()
    assert [*viewer_model.keymap.values()] == [mine]
