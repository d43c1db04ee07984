"""Examples as a user makes them: a real viewer, a real mouse on its canvas and its dock."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QMenu

from napari_clip_heatmap._napari.controllers import live_update
from napari_clip_heatmap._napari.controllers.examples import example_section
from napari_clip_heatmap._napari.controllers.examples.example_layer import row_of
from napari_clip_heatmap._napari.controllers.examples.example_sources import ExampleSource
from napari_clip_heatmap._napari.controllers.layers import METADATA_KEY, heatmaps_by_row
from napari_clip_heatmap._napari.views.control_spec import ControlSection
from napari_clip_heatmap._napari.widget import HeatmapWidget
from napari_clip_heatmap.prompting.prompt_set import load_set

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1000, 700)
    return viewer


@pytest.fixture
def widget(viewer, session, picture, qtbot):
    widget = HeatmapWidget(viewer, session)
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    widget["prompts"].value = ["red", "green", "blue"]
    viewer.add_image(picture, name="cells")
    widget.start()
    settle(widget, qtbot)
    viewer.reset_view()
    widget.open_section(ControlSection.EXAMPLES)
    return widget


def settle(widget, qtbot):
    qtbot.waitUntil(
        lambda: not widget.state.busy and not widget.live_updater.showing, timeout=60_000
    )


def canvas_spot(viewer, y, x):
    """Return where a point of the image is drawn on the canvas."""
    native = viewer.window._qt_viewer.canvas.native
    size = np.array([native.height(), native.width()])
    camera = getattr(viewer, "scene", viewer).camera
    spot = (np.array([y, x]) - camera.center[-2:]) * camera.zoom + size / 2
    return native, QPoint(round(spot[1]), round(spot[0]))


def click(viewer, qtbot, y, x, button=LEFT):
    native, spot = canvas_spot(viewer, y, x)
    qtbot.mouseMove(native, spot)
    qtbot.mousePress(native, button, pos=spot)
    qtbot.mouseRelease(native, button, pos=spot)


def example_rows(widget):
    return [row for row in widget["prompts"].model.rows if row.example is not None]


def heat(viewer, widget, key, qtbot):
    qtbot.waitUntil(lambda: key in heatmaps_by_row(viewer, widget.state.image), timeout=20_000)
    settle(widget, qtbot)
    layer = heatmaps_by_row(viewer, widget.state.image)[key]
    return np.asarray(layer.data[0] if layer.multiscale else layer.data)


def wait_for_places(widget, qtbot, positive, negative):
    def done():
        rows = example_rows(widget)
        if not rows or widget.live_updater.showing:
            return False
        made = rows[-1].example
        shown = widget.state.result.result.scoring.examples.get(rows[-1].prompt)
        return (made.positive, made.negative) == (positive, negative) and shown == made

    qtbot.waitUntil(done, timeout=20_000)


def begin(widget, qtbot):
    button = widget["new_example"].native
    qtbot.waitUntil(button.isVisible)
    qtbot.mouseClick(button, LEFT)


def test_clicks_make_a_row_and_a_map_that_follow_them(viewer, widget, qtbot):
    begin(widget, qtbot)
    click(viewer, qtbot, 20, 20)
    wait_for_places(widget, qtbot, 1, 0)
    (row,) = example_rows(widget)
    assert row.prompt == "example 1"
    shown = heat(viewer, widget, row.key, qtbot)
    assert shown[:, :40].mean() > max(shown[:, 40:80].mean(), shown[:, 80:].mean())
    minus = widget["example_sign"].native.findChildren(type(widget["example_sign"].native))
    assert minus is not None
    widget["example_sign"].value = "-"
    click(viewer, qtbot, 30, 60)
    wait_for_places(widget, qtbot, 1, 1)
    layer = viewer.layers.selection.active
    assert row_of(layer) == row.key
    assert [*layer.features["sign"]] == ["+", "-"]
    assert len({str(each) for each in layer.symbol}) == 2
    assert not np.allclose(*layer.face_color)
    widget["example_sign"].value = "+"
    click(viewer, qtbot, 70, 10)
    wait_for_places(widget, qtbot, 2, 1)
    layer.selected_data = {2}
    layer.remove_selected()
    wait_for_places(widget, qtbot, 1, 1)


def test_a_mark_that_gets_another_sign_counts_the_other_way(viewer, widget, qtbot):
    begin(widget, qtbot)
    for y, x in ((20, 20), (40, 10), (30, 60)):
        click(viewer, qtbot, y, x)
    wait_for_places(widget, qtbot, 3, 0)
    layer = viewer.layers.selection.active
    layer.mode = "select"
    layer.selected_data = {2}
    widget["example_sign"].value = "-"
    wait_for_places(widget, qtbot, 2, 1)
    assert [*layer.features["sign"]] == ["+", "+", "-"]


def test_words_are_mixed_in_with_the_slider(viewer, widget, qtbot):
    begin(widget, qtbot)
    click(viewer, qtbot, 20, 20)
    wait_for_places(widget, qtbot, 1, 0)
    alone = example_rows(widget)[0].example.direction
    field = widget["example_words"].native
    qtbot.keyClicks(field, "blue")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: example_rows(widget)[0].example.words == "blue", timeout=20_000)
    widget["example_weight"].value = 1.0
    qtbot.waitUntil(lambda: example_rows(widget)[0].example.weight == 1, timeout=20_000)
    assert example_rows(widget)[0].example.direction == pytest.approx(alone, abs=1e-6)
    widget["example_weight"].value = 0.0
    qtbot.waitUntil(lambda: example_rows(widget)[0].example.weight == 0, timeout=20_000)
    settle(widget, qtbot)
    shown = heat(viewer, widget, example_rows(widget)[0].key, qtbot)
    assert shown[:, 80:].mean() > shown[:, :40].mean()


def test_a_right_click_offers_more_like_this(viewer, widget, qtbot):
    click(viewer, qtbot, 50, 100, RIGHT)
    menus = [
        each for each in widget.native.findChildren(QMenu) if each.objectName() == "place_menu"
    ]
    assert [action.text() for action in menus[-1].actions()] == ["More like this"]
    spot = menus[-1].actionGeometry(menus[-1].actions()[0]).center()
    qtbot.mouseClick(menus[-1], LEFT, pos=spot)
    wait_for_places(widget, qtbot, 1, 0)
    shown = heat(viewer, widget, example_rows(widget)[0].key, qtbot)
    assert shown[:, 80:].mean() > shown[:, :80].mean()
    click(viewer, qtbot, 50, 60, RIGHT)
    menus = [each for each in widget.native.findChildren(QMenu) if each.isVisible()]
    texts = [action.text() for action in menus[-1].actions()]
    assert texts == ["More like this", "'example 1' is here", "'example 1' is not here"]
    spot = menus[-1].actionGeometry(menus[-1].actions()[2]).center()
    qtbot.mouseClick(menus[-1], LEFT, pos=spot)
    wait_for_places(widget, qtbot, 1, 1)


def test_a_right_drag_stays_napari_s(viewer, widget, qtbot):
    native, spot = canvas_spot(viewer, 50, 100)
    zoom = getattr(viewer, "scene", viewer).camera.zoom
    qtbot.mousePress(native, RIGHT, pos=spot)
    for step in range(1, 6):
        qtbot.mouseMove(native, spot + QPoint(0, 8 * step))
    qtbot.mouseRelease(native, RIGHT, pos=spot + QPoint(0, 40))
    QApplication.processEvents()
    assert not [each for each in widget.native.findChildren(QMenu) if each.isVisible()]
    assert zoom > 0


def test_labels_and_shapes_are_taken_as_places(viewer, widget, qtbot):
    labels = np.zeros((96, 120), np.int32)
    labels[:, 80:] = 3
    labels[:48, :40] = 5
    layer = viewer.add_labels(labels, name="marked")
    viewer.layers.selection.active = layer
    click(viewer, qtbot, 50, 100, RIGHT)
    menus = [each for each in widget.native.findChildren(QMenu) if each.isVisible()]
    texts = [action.text() for action in menus[-1].actions()]
    assert texts == ["More like this", "More like label 3"]
    spot = menus[-1].actionGeometry(menus[-1].actions()[1]).center()
    qtbot.mouseClick(menus[-1], LEFT, pos=spot)
    qtbot.waitUntil(lambda: len(example_rows(widget)) == 1, timeout=20_000)
    settle(widget, qtbot)
    (row,) = example_rows(widget)
    assert row.prompt == "marked 3"
    shown = heat(viewer, widget, row.key, qtbot)
    assert shown[:, 80:].mean() > shown[:, :80].mean()
    shapes = viewer.add_shapes([[0, 0], [95, 30]], shape_type="rectangle", name="drawn")
    viewer.layers.selection.active = shapes
    qtbot.mouseClick(widget["example_from_layer"].native, LEFT)
    qtbot.waitUntil(lambda: len(example_rows(widget)) == 2, timeout=20_000)
    assert example_rows(widget)[1].prompt == "drawn"
    assert example_rows(widget)[1].example.positive > 5


def test_examples_are_saved_with_the_prompts_and_come_back(viewer, widget, qtbot, tmp_path):
    begin(widget, qtbot)
    click(viewer, qtbot, 20, 20)
    wait_for_places(widget, qtbot, 1, 0)
    made = example_rows(widget)[0].example
    path = tmp_path / "mixed.yaml"
    widget["prompts"].save(path)
    assert load_set(path).rows == ("red", "green", "blue", made)
    widget["prompts"].value = ["red"]
    assert not example_rows(widget)
    widget["prompts"].load(path)
    assert [row.example for row in example_rows(widget)] == [made]
    assert widget["prompts"].value == ["red", "green", "blue"]
    qtbot.waitUntil(
        lambda: "example 1" in widget.state.result.result.scoring.examples, timeout=20_000
    )


def test_before_a_run_clicks_wait_for_it(viewer, session, picture, qtbot):
    widget = HeatmapWidget(viewer, session)
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    widget["prompts"].value = ["red"]
    viewer.add_image(picture, name="cells")
    viewer.reset_view()
    widget.open_section(ControlSection.EXAMPLES)
    begin(widget, qtbot)
    assert "Press Run" in widget["example_info"].value
    click(viewer, qtbot, 20, 20)
    assert not example_rows(widget)
    widget.start()
    settle(widget, qtbot)
    wait_for_places(widget, qtbot, 1, 0)


def test_without_an_image_nothing_begins(make_napari_viewer, session, qtbot):
    viewer = make_napari_viewer()
    widget = HeatmapWidget(viewer, session)
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    assert widget.examples.begin() is None
    assert len(viewer.layers) == 0
    assert widget["example_info"].value


@pytest.fixture
def patient(monkeypatch):
    """Let the window wait for maps however slow the machine is."""
    monkeypatch.setattr(example_section, "TOGETHER_SECONDS", 30)
    monkeypatch.setattr(live_update, "TOGETHER_SECONDS", 30)


@pytest.fixture
def made(monkeypatch):
    """The places that each example was made of."""
    made, make = [], ExampleSource.make

    def note(source, encoding, places, templates):
        made.append((len(places.positive), len(places.negative)))
        return make(source, encoding, places, templates)

    monkeypatch.setattr(ExampleSource, "make", note)
    return made


def expected_map(widget, places):
    """Return the map of an example of these places, in image pixels, made apart from the dock."""
    result = widget.state.result.result
    encoding = result.encodings[()]
    example = encoding.example(places, name="apart")
    rows = [row for row in widget.state.prompts if row.example is None]
    found = encoding.heatmaps([*(row.prompt for row in rows), example], score="relative")
    return found.values[-1]


def move(layer):
    layer.data = [[60, 100], *layer.data[1:]]


def delete(layer):
    layer.selected_data = {0}
    layer.remove_selected()


def drop_by_data(layer):
    layer.data = layer.data[1:]


@pytest.mark.parametrize("change", ["click", move, delete, drop_by_data])
def test_what_is_done_to_places_is_in_the_map_before_anything_is_drawn(
    patient, made, viewer, widget, qtbot, change
):
    begin(widget, qtbot)
    click(viewer, qtbot, 20, 20)
    wait_for_places(widget, qtbot, 1, 0)
    click(viewer, qtbot, 70, 10)
    wait_for_places(widget, qtbot, 2, 0)
    settle(widget, qtbot)
    qtbot.waitUntil(lambda: not widget.live_updater._job.running, timeout=20_000)
    qtbot.waitUntil(lambda: not widget.examples._job.running, timeout=20_000)
    (row,) = example_rows(widget)
    points = viewer.layers.selection.active
    heatmap = heatmaps_by_row(viewer, widget.state.image)[row.key]
    made.clear()
    if change == "click":
        click(viewer, qtbot, 30, 60)
    else:
        change(points)
    count = len(points.data)
    (record,) = heatmap.metadata[METADATA_KEY]["examples"]
    assert record["positive"] == count
    assert example_rows(widget)[0].example.positive == count
    np.testing.assert_allclose(heatmap.data, expected_map(widget, points.data), atol=1e-6)
    wait_for_places(widget, qtbot, count, 0)
    qtbot.waitUntil(lambda: not widget.examples._job.running, timeout=20_000)
    assert made == [(count, 0)]
