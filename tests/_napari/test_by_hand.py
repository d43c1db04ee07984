"""An afternoon at the microscope's screen: a real viewer, and nothing but a mouse and keys."""

from __future__ import annotations

from itertools import cycle
from types import SimpleNamespace

import numpy as np
import pytest
from napari._app_model import get_app_model
from napari.utils import progress
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox, QLineEdit, QRadioButton, QToolButton

from napari_clip_heatmap._napari import settings
from napari_clip_heatmap._napari.controllers.layers import heatmaps_by_row, own_heatmaps
from napari_clip_heatmap._napari.controllers.live_update import text_overlay_of
from napari_clip_heatmap._napari.views.file_choice import QFileDialog
from napari_clip_heatmap._napari.views.prompt_cells import PromptColumn
from napari_clip_heatmap._napari.widget import HeatmapWidget

LEFT = Qt.MouseButton.LeftButton
FIGURES = (PromptColumn.SIMILARITY, PromptColumn.VERDICT)

TIMEOUT = 60_000
"""Milliseconds: other tests may have the processor."""


class Hand:
    """A mouse and a keyboard at a viewer."""

    def __init__(self, viewer, widget, qtbot):
        self.viewer, self.widget, self.qtbot = viewer, widget, qtbot
        self.canvas = viewer.window._qt_viewer.canvas.native
        self.table = widget["prompts"].view

    def press(self, name):
        """Click a control of the dock."""
        native = self.widget[name].native
        self.qtbot.waitUntil(lambda: native.isVisible() and native.isEnabled(), timeout=TIMEOUT)
        self.qtbot.mouseClick(native, LEFT)

    def run(self):
        self.press("run")
        self.settle()

    def settle(self):
        """Wait until maps and verdicts are there."""
        self.qtbot.waitUntil(
            lambda: (
                not self.widget.state.busy
                and not self.widget.live_updater.showing
                and (
                    self.widget.state.result is None
                    or self.widget.state.result.assessment is not None
                )
            ),
            timeout=TIMEOUT,
        )

    def open_section(self, title):
        (button,) = (each for each in self.widget.tabs.buttons if each.text() == title)
        self.qtbot.mouseClick(button, LEFT)

    def tick(self, name):
        box = self.widget[name].native
        self.qtbot.waitUntil(box.isVisible, timeout=TIMEOUT)
        self.qtbot.mouseClick(box, LEFT, pos=QPoint(8, box.height() // 2))

    def cell(self, row, column, *, double=False):
        """Click a cell of the table of prompts."""
        spot = self.table.visualRect(self.table.model().index(row, column)).center()
        self.qtbot.mouseClick(self.table.viewport(), LEFT, pos=spot)
        if double:
            self.qtbot.mouseDClick(self.table.viewport(), LEFT, pos=spot)

    def write(self, row, words):
        """Replace the words of a row."""
        self.cell(row, PromptColumn.PROMPT, double=True)
        editor = self.table.findChildren(QLineEdit)[-1]
        editor.selectAll()
        self.qtbot.keyClicks(editor, words)
        self.qtbot.keyClick(editor, Qt.Key.Key_Return)

    def select_layer(self, layer):
        """Click a layer in napari's own list."""
        view = self.viewer.window._qt_viewer.layers
        model = view.model()
        (index,) = (
            model.index(row, 0)
            for row in range(model.rowCount())
            if model.index(row, 0).data(Qt.ItemDataRole.UserRole) is layer
        )
        view.scrollTo(index)
        box = view.visualRect(index)
        self.qtbot.mouseClick(view.viewport(), LEFT, pos=QPoint(box.left() + 70, box.center().y()))
        self.qtbot.waitUntil(lambda: self.viewer.layers.selection.active is layer, timeout=TIMEOUT)

    def spot(self, y, x):
        """Return where a point of the image is drawn on the canvas."""
        size = np.array([self.canvas.height(), self.canvas.width()])
        camera = getattr(self.viewer, "scene", self.viewer).camera
        at = (np.array([y, x]) - camera.center[-2:]) * camera.zoom + size / 2
        return QPoint(round(at[1]), round(at[0]))

    def move_to(self, y, x, *, button=Qt.MouseButton.NoButton):
        """Move over the canvas; by an event, as Qt's own move needs the screen's one pointer."""
        at = self.spot(y, x)
        event = QMouseEvent(
            QEvent.Type.MouseMove,
            QPointF(at),
            QPointF(self.canvas.mapToGlobal(at)),
            Qt.MouseButton.NoButton,
            button,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(self.canvas, event)

    def click_image(self, y, x):
        self.move_to(y, x)
        self.qtbot.mouseClick(self.canvas, LEFT, pos=self.spot(y, x))

    def drag(self, start, end):
        """Drag over the canvas, as a rectangle is drawn."""
        self.move_to(*start)
        self.qtbot.mousePress(self.canvas, LEFT, pos=self.spot(*start))
        for part in np.linspace(start, end, 6)[1:]:
            self.move_to(*part, button=LEFT)
            self.qtbot.wait(20)
        self.qtbot.mouseRelease(self.canvas, LEFT, pos=self.spot(*end))

    def slide(self, slider, start, end):
        """Drag a handle of a slider of napari's, from one part of its length to another."""
        box = slider.rect().adjusted(8, 0, -8, 0)
        places = [
            QPoint(round(box.left() + at * box.width()), box.center().y()) for at in (start, end)
        ]
        self.qtbot.mousePress(slider, LEFT, pos=places[0])
        move = QMouseEvent(
            QEvent.Type.MouseMove,
            QPointF(places[1]),
            QPointF(slider.mapToGlobal(places[1])),
            Qt.MouseButton.NoButton,
            LEFT,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(slider, move)
        self.qtbot.mouseRelease(slider, LEFT, pos=places[1])

    def key(self, key, modifier=Qt.KeyboardModifier.NoModifier):
        """Press a key over the canvas."""
        self.qtbot.keyClick(self.canvas, key, modifier)

    def figures(self):
        model = self.widget["prompts"].model
        rows = range(len(model.rows))
        return [str(model.index(row, each).data() or "") for row in rows for each in FIGURES]

    def visible(self):
        """Names of the maps that are shown."""
        return [layer.name for layer in own_heatmaps(self.viewer) if layer.visible]


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(960, 640)
    return viewer


@pytest.fixture
def widget(viewer, session, hub):
    widget = HeatmapWidget(viewer, session, hub.catalog)
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    widget["prompts"].value = ["red", "green", "blue"]
    return widget


@pytest.fixture
def hand(viewer, widget, qtbot):
    return Hand(viewer, widget, qtbot)


@pytest.fixture
def cells(viewer, hand, picture):
    """The picture, run by a click."""
    image = viewer.add_image(picture, name="cells")
    hand.run()
    return image


def test_figures_and_names_follow_the_image_that_is_clicked(viewer, widget, hand, cells, picture):
    known = hand.figures()
    assert all(known)
    other = viewer.add_image(picture[:, ::-1].copy(), name="Blood_55")
    hand.select_layer(other)
    assert not any(hand.figures())
    assert "Not run on 'Blood_55'" in widget["status"].value
    hand.run()
    assert [each.name for each in own_heatmaps(viewer, other)] == [
        f"{prompt} - Blood_55" for prompt in ("red", "green", "blue")
    ]
    hand.select_layer(cells)
    assert hand.figures() == known
    assert [each.name for each in own_heatmaps(viewer, cells)] == ["red", "green", "blue"]
    hand.qtbot.keyClick(viewer.window._qt_viewer.layers, Qt.Key.Key_Delete)
    hand.qtbot.waitUntil(lambda: cells not in viewer.layers, timeout=TIMEOUT)
    assert widget["image"].value is other
    hand.press("remove_all")
    assert not any(hand.figures())
    assert "encoded before" not in widget["status"].value


def test_scales_and_trust_are_a_click_away(viewer, widget, hand, cells, qtbot):
    layers = own_heatmaps(viewer)
    assert len({tuple(layer.contrast_limits) for layer in layers}) == 1
    buttons = widget["scale"].native.findChildren(QRadioButton)
    (own,) = (each for each in buttons if each.text() == "own")
    qtbot.mouseClick(own, LEFT, pos=QPoint(8, own.height() // 2))
    assert len({tuple(layer.contrast_limits) for layer in layers}) == 3
    for row, prompt in enumerate(("red", "green", "blue")):
        hand.cell(row, PromptColumn.PROMPT)
        assert hand.visible() == [prompt]
        assert text_overlay_of(viewer).text.startswith(f"{prompt} - trust: ")
        tip = widget["prompts"].model.index(row, PromptColumn.VERDICT)
        lines = tip.data(Qt.ItemDataRole.ToolTipRole).splitlines()
        assert len(lines) >= 3
        assert max(map(len, lines)) <= 60
        assert lines[0] in widget["notes"].value
    hand.write(1, "green - green")
    hand.settle()
    verdict = widget["prompts"].model.index(1, PromptColumn.VERDICT)
    qtbot.waitUntil(lambda: verdict.data() == "none", timeout=TIMEOUT)


def test_keys_and_clicks_go_from_map_to_map(viewer, widget, hand, cells, qtbot):
    hand.cell(0, PromptColumn.PROMPT)
    for key, modifier, expected in (
        (Qt.Key.Key_N, Qt.KeyboardModifier.NoModifier, "green"),
        (Qt.Key.Key_N, Qt.KeyboardModifier.NoModifier, "blue"),
        (Qt.Key.Key_N, Qt.KeyboardModifier.ShiftModifier, "green"),
    ):
        hand.key(key, modifier)
        assert hand.visible() == [expected]
    hand.select_layer(viewer.layers["red"])
    assert hand.visible() == ["red"]
    assert hand.table.currentIndex().row() == 0
    qtbot.keyClick(hand.table, Qt.Key.Key_Down)
    assert hand.visible() == ["green"]
    assert viewer.layers.selection.active is viewer.layers["green"]
    hand.cell(2, PromptColumn.SHOWN)
    assert hand.visible() == ["green", "blue"]
    hand.cell(2, PromptColumn.SHOWN)
    assert hand.visible() == ["green"]


def test_the_mouse_reads_values_and_a_click_ranks(viewer, widget, hand, cells, qtbot):
    hand.open_section("Click")
    model = widget["prompts"].model
    here = [model.index(row, PromptColumn.CURSOR) for row in range(3)]
    step = cycle((0, 1))  # no hand rests on one pixel while the window is still being laid out

    def has_read():
        hand.move_to(48, 100 + next(step))  # on the blue stripe
        return all(each.data() for each in here)

    qtbot.waitUntil(has_read, timeout=TIMEOUT)
    values = [int(each.data().split()[0]) for each in here]
    assert values[2] == max(values)
    hand.click_image(48, 100)
    qtbot.waitUntil(lambda: "1. blue" in widget["ranked"].value, timeout=TIMEOUT)
    assert widget["ranked"].native.isVisible(), "the answer to a click is where it was asked for"


def test_a_slider_that_is_moved_offers_its_slice(viewer, widget, hand, picture, qtbot):
    viewer.add_image(np.stack([picture, picture[::-1], picture]), name="stack")
    hand.run()
    (slider,) = (
        each.slider for each in viewer.window._qt_viewer.dims.slider_widgets if each.isVisible()
    )
    assert viewer.dims.current_step[0] == 1
    qtbot.keyClick(slider, Qt.Key.Key_Home)
    assert viewer.dims.current_step[0] == 0
    assert widget["run"].text == "Run slice"
    assert "Slice 0 is not computed" in widget["status"].value
    hand.run()
    assert widget["run"].text == "Run"
    assert {*widget.state.result.result.planes} == {(0,), (1,)}
    hand.open_section("Where")
    hand.tick("follow")
    qtbot.keyClick(slider, Qt.Key.Key_End)
    qtbot.waitUntil(
        lambda: (shown := widget.state.result) is not None and (2,) in shown.result.planes,
        timeout=TIMEOUT,
    )
    hand.settle()


def test_a_bad_row_is_marked_and_the_others_run(viewer, widget, hand, picture, loads):
    viewer.add_image(picture, name="cells")
    hand.write(0, "nuclei |")
    hand.run()
    assert {each.name for each in own_heatmaps(viewer)} == {"green", "blue"}
    cell = widget["prompts"].model.index(0, PromptColumn.PROMPT)
    assert "Not run" in cell.data(Qt.ItemDataRole.ToolTipRole)
    hand.write(0, "red")
    hand.run()
    assert {each.name for each in own_heatmaps(viewer)} == {"red", "green", "blue"}


def test_run_and_cancel_leave_one_bar_and_do_not_move(viewer, widget, hand, picture, qtbot):
    viewer.window._qt_window.resize(1280, 720)
    viewer.add_image(picture, name="cells")
    qtbot.wait(100)
    native = widget["run"].native

    def position():
        return native.mapTo(widget.native, native.rect().topLeft())

    before = position()
    for number in range(6):
        viewer.layers["cells"].data = np.roll(picture, number, axis=0)
        qtbot.mouseClick(native, LEFT)
        if number % 2:
            qtbot.mouseClick(widget["cancel"].native, LEFT)
        qtbot.waitUntil(lambda: not widget.state.busy, timeout=TIMEOUT)
        assert position() == before
    assert not progress._all_instances


@pytest.mark.parametrize("name", ["score", "model", "templates"])
def test_the_wheel_over_the_dock_changes_no_choice(widget, hand, cells, qtbot, name):
    native = widget[name].native
    box = native if isinstance(native, QComboBox) else native.findChild(QComboBox)
    hand.open_section("View")
    hand.table.setFocus()
    before = box.currentText()
    for target in (native, box):
        at = QPointF(target.rect().center())
        for turn in (-120, 120):
            event = QWheelEvent(
                at,
                QPointF(target.mapToGlobal(at.toPoint())),
                QPoint(),
                QPoint(0, turn),
                Qt.MouseButton.NoButton,
                Qt.KeyboardModifier.NoModifier,
                Qt.ScrollPhase.NoScrollPhase,
                False,
            )
            QApplication.sendEvent(target, event)
    assert box.currentText() == before


def test_all_maps_are_removed_and_an_encoding_is_opened(
    viewer, qtbot, tmp_path, monkeypatch, picture
):
    widget = HeatmapWidget(viewer)  # with the bundled model, whose encodings can be opened
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    widget["prompts"].value = ["nuclei", "filaments", "debris"]
    viewer.add_image(picture, name="cells")
    hand = Hand(viewer, widget, qtbot)
    hand.run()
    path = str(tmp_path / "cells.zarr.zip")
    monkeypatch.setattr(QFileDialog, "open", lambda box: box.fileSelected.emit(path))

    def choose(begins):
        menu = widget.export_menu
        menu.popup(QPoint(200, 200))  # as its button does
        qtbot.waitUntil(menu.isVisible, timeout=TIMEOUT)
        (action,) = (each for each in menu.actions() if each.text().startswith(begins))
        qtbot.mouseClick(menu, LEFT, pos=menu.actionGeometry(action).center())

    choose("Save the encoding")
    qtbot.waitUntil(lambda: "Saved" in widget["status"].value, timeout=TIMEOUT)
    hand.press("remove_all")
    assert not own_heatmaps(viewer)
    choose("Open an encoding")
    qtbot.waitUntil(lambda: len(own_heatmaps(viewer)) == 3, timeout=TIMEOUT)
    hand.settle()
    assert len(hand.visible()) == 1
    assert all(hand.figures())


def test_naparis_own_controls_are_heard(viewer, widget, hand, cells, qtbot):
    hand.cell(1, PromptColumn.PROMPT)
    layer = viewer.layers["green"]
    controls = viewer.window._qt_viewer.controls.widgets[layer]
    combo = next(each for each in controls.findChildren(QComboBox) if each.findText("magma") >= 0)
    combo.setFocus()
    # Not by typing its name: letters that come slowly begin a new search each.
    qtbot.keyClick(combo, Qt.Key.Key_Home)
    for _ in range(combo.findText("magma")):
        qtbot.keyClick(combo, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: layer.colormap.name == "magma", timeout=TIMEOUT)
    gamma = controls._gamma_slider_control.gamma_slider._slider
    limits = controls._contrast_limits_control.contrast_limits_slider
    before = tuple(layer.contrast_limits)
    hand.slide(gamma, 0.5, 0.9)
    hand.slide(limits, 1.0, 0.6)  # the upper handle
    qtbot.waitUntil(lambda: layer.contrast_limits[1] < before[1], timeout=TIMEOUT)
    by_hand = layer.gamma, tuple(layer.contrast_limits)
    assert by_hand[0] > 1
    hand.write(0, "some more")
    hand.settle()
    hand.run()
    row = widget["prompts"].rows[1].key
    layer = heatmaps_by_row(viewer, cells)[row]
    assert layer.colormap.name == "magma"
    assert (layer.gamma, tuple(layer.contrast_limits)) == by_hand
    assert widget.state.style_of(cells).colormap(row).name == "magma"


def test_the_next_start_knows_the_last_words_and_choices(
    viewer, session, hub, qtbot, monkeypatch, picture
):
    names = {spec.name: "" for spec in settings.PERSISTED}
    saved = SimpleNamespace(**names, recent="", tab="Maps")
    monkeypatch.setattr(settings, "section", lambda: saved)
    widget = HeatmapWidget(viewer, session, hub.catalog)
    dock = viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    widget["prompts"].value = ["red", "green", "blue"]
    viewer.add_image(picture, name="cells")
    hand = Hand(viewer, widget, qtbot)
    hand.run()
    hand.write(0, "some more")
    hand.settle()
    hand.open_section("Where")
    qtbot.keyClick(widget["score"].native, Qt.Key.Key_Home)
    score = widget["score"].value
    assert score != "balanced"
    hand.settle()
    hand.run()
    viewer.window.remove_dock_widget(dock)

    widget = HeatmapWidget(viewer, session, hub.catalog)
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    assert widget["prompts"].value == ["some more", "green", "blue"]
    assert widget["score"].value == score
    assert widget.tabs.title == "Where"
    (sets,) = (each for each in widget.native.findChildren(QToolButton) if "Sets" in each.text())
    (recent,) = (each for each in sets.menu().actions() if each.text() == "Recent")
    sets.menu().popup(QPoint(200, 200))  # as its button does
    for menu, words in ((sets.menu(), "Recent"), (recent.menu(), "red, green, blue")):
        qtbot.waitUntil(menu.isVisible, timeout=TIMEOUT)
        (action,) = (each for each in menu.actions() if each.text() == words)
        qtbot.mouseClick(menu, LEFT, pos=menu.actionGeometry(action).center())
    assert widget["prompts"].value == ["red", "green", "blue"]


def test_a_rectangle_is_drawn_with_the_mouse(viewer, widget, hand, cells, qtbot):
    viewer.reset_view()
    hand.open_section("Where")
    hand.press("draw")
    outline = viewer.layers.selection.active
    assert outline.mode == "add_rectangle"
    hand.drag((10, 10), (80, 60))
    qtbot.waitUntil(lambda: len(outline.data) == 1, timeout=TIMEOUT)
    hand.run()
    data = heatmaps_by_row(viewer, cells)[widget["prompts"].rows[0].key].data
    assert np.isfinite(data[20, 20])
    assert np.isnan(data[90, 110])
    assert not outline.face_color[:, 3].any(), "its fill does not dye the map"


def test_labels_of_a_map_come_from_naparis_menu(viewer, hand, cells):
    hand.select_layer(viewer.layers["green"])
    get_app_model().commands.execute_command("napari.layer.convert_to_labels").result()
    labels = viewer.layers["green objects"]
    assert labels.data[48, 60]
    assert not labels.data[48, 10]


def test_three_dimensions_are_a_click_away(viewer, hand, picture, qtbot):
    viewer.add_image(np.stack([picture] * 3), name="stack")
    hand.run()
    button = viewer.window._qt_viewer.viewerButtons.ndisplayButton
    qtbot.mouseClick(button, LEFT)
    qtbot.waitUntil(lambda: viewer.dims.ndisplay == 3, timeout=TIMEOUT)
    QTest.qWait(200)
    assert {layer.rendering for layer in own_heatmaps(viewer)} == {"attenuated_mip"}
    qtbot.mouseClick(button, LEFT)
    qtbot.waitUntil(lambda: viewer.dims.ndisplay == 2, timeout=TIMEOUT)


def test_all_layers_are_selected_and_deleted(viewer, widget, hand, cells, qtbot):
    """Each layer that goes with another one is among them."""
    viewer.reset_view()
    hand.open_section("Where")
    hand.press("draw")
    hand.drag((10, 10), (80, 60))
    hand.run()
    qtbot.waitUntil(
        lambda: any("outside the region" in each.name for each in viewer.layers), timeout=TIMEOUT
    )
    hand.open_section("Maps")
    hand.tick("best")
    qtbot.waitUntil(lambda: "best prompt - cells" in viewer.layers, timeout=TIMEOUT)
    hand.open_section("Annotate")
    qtbot.waitUntil(lambda: any("outline" in each.name for each in viewer.layers), timeout=TIMEOUT)
    layers = viewer.window._qt_viewer.layers
    layers.setFocus()
    qtbot.keyClick(layers, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert len(viewer.layers.selection) == len(viewer.layers) >= 7
    qtbot.keyClick(layers, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: not viewer.layers, timeout=TIMEOUT)
    qtbot.wait(300)
    assert not viewer.layers


def test_a_dock_that_is_closed_takes_its_views_along(viewer, widget, hand, cells, qtbot):
    hand.open_section("Maps")
    hand.tick("best")
    qtbot.waitUntil(lambda: "best prompt - cells" in viewer.layers, timeout=TIMEOUT)
    viewer.window.remove_dock_widget(widget.native)
    widget.native.deleteLater()
    qtbot.waitUntil(lambda: widget.closed, timeout=TIMEOUT)
    assert "best prompt - cells" not in viewer.layers
    viewer.layers.remove(viewer.layers["red"])
    viewer.add_image(np.eye(48))
    qtbot.wait(100)


def test_a_run_says_of_which_image_it_is_when_another_one_is_clicked(
    viewer, widget, hand, cells, picture, model, qtbot
):
    """Neither what it does nor what it did, no notes and no active layer belong to the other."""
    known, text = hand.figures(), text_overlay_of(viewer).text
    other = viewer.add_image(np.tile(picture[:, ::-1], (2, 2, 1)), name="Blood_55")
    third = viewer.add_image(picture[::-1].copy(), name="never run")
    for end in ("done", "cancelled"):
        other.data = np.roll(other.data, 7, axis=0)
        model.gate.clear()
        model.hold_after = model.batches + 2
        hand.select_layer(other)
        hand.press("run")
        hand.select_layer(cells)
        assert hand.figures() == known
        assert text in text_overlay_of(viewer).text.splitlines(), "no preview: it is at rest"
        hand.select_layer(third)
        assert not widget["notes"].value
        if end == "cancelled":
            hand.press("cancel")
        model.gate.set()
        qtbot.waitUntil(lambda: not widget.state.busy, timeout=TIMEOUT)
        assert widget["status"].value.startswith("'Blood_55': ")
        assert not any(hand.figures())
        assert "press Run" in widget["notes"].value, "the first steps, and no notes on another"
        assert viewer.layers.selection.active is third


def test_figures_belong_to_the_slice_in_view(viewer, widget, hand, picture, qtbot):
    """A slice with nothing on it has not the figures of the one where the run began."""
    blank = np.full_like(picture, 90)
    viewer.add_image(np.stack([picture, blank]), name="stack", scale=(3, 0.5, 0.5))
    (slider,) = (
        each.slider for each in viewer.window._qt_viewer.dims.slider_widgets if each.isVisible()
    )
    qtbot.keyClick(slider, Qt.Key.Key_Home)
    hand.run()
    of_picture, notes = hand.figures(), widget["notes"].value
    assert all(of_picture)
    assert "one patch = 8 px" in widget["status"].value
    assert "one patch = 8 px" in notes, "a scale without a unit is no size of a pixel"

    qtbot.keyClick(slider, Qt.Key.Key_End)
    assert not any(hand.figures()), "nothing is known of this slice"
    assert "is not computed" in widget["status"].value
    qtbot.keyClick(slider, Qt.Key.Key_Home)
    assert "is not computed" not in widget["status"].value
    hand.settle()
    assert hand.figures() == of_picture
    qtbot.keyClick(slider, Qt.Key.Key_End)
    hand.run()
    of_blank = hand.figures()
    assert {*of_blank[1::2]} == {"none"}
    assert text_overlay_of(viewer).text == "red - trust: none"
    assert all(layer.opacity < 0.5 for layer in own_heatmaps(viewer)), "drawn faint"

    qtbot.keyClick(slider, Qt.Key.Key_Home)
    hand.settle()
    assert hand.figures() == of_picture
    assert text_overlay_of(viewer).text == f"red - trust: {of_picture[1]}"
    hand.write(0, "blue blue")
    hand.settle()
    of_picture = hand.figures()
    qtbot.keyClick(slider, Qt.Key.Key_End)
    hand.settle()
    assert {*hand.figures()[1::2]} == {"none"}
    qtbot.keyClick(slider, Qt.Key.Key_Home)
    assert hand.figures() == of_picture, "known already"


def test_maps_of_earlier_data_and_of_another_image_say_so(
    viewer, widget, hand, cells, picture, qtbot
):
    """A map that lies over another image names its own; figures go with the data they are of."""
    other = viewer.add_image(picture[:, ::-1].copy(), name="Blood_55")
    hand.select_layer(other)
    assert text_overlay_of(viewer).text == "red of 'cells'"
    hand.run()
    lines = text_overlay_of(viewer).text.splitlines()
    assert lines[0].startswith("red - trust: ")
    assert lines[1:] == ["red of 'cells'"]
    cells.name = "smear"
    viewer.layers["red"].visible = False
    assert len(text_overlay_of(viewer).text.splitlines()) == 1
    viewer.layers["red"].visible = True
    assert text_overlay_of(viewer).text.splitlines()[1] == "red of 'smear'"
    viewer.layers["red"].visible = False

    other.data = np.roll(other.data, 40, axis=1)
    assert not any(hand.figures())
    assert "replaced" in widget["status"].value
    assert text_overlay_of(viewer).text == "red - made earlier: press Run"
    hand.run()
    assert all(hand.figures())
    hand.press("remove_all")
    other.data = np.roll(other.data, 40, axis=1)
    assert hand.widget["remove_all"].text == "Restore", "those of the other image"
    hand.press("remove_all")
    assert not own_heatmaps(viewer, other)
    assert not any(hand.figures())
    hand.select_layer(cells)
    assert all(hand.figures())


@pytest.mark.parametrize("change", ["contrast limits", "model", "resolution", "channels"])
def test_what_was_changed_since_the_run_is_said_and_said_no_more_after_it(
    viewer, widget, hand, cells, picture, qtbot, change
):
    def changed():
        lines = widget["notes"].value.splitlines()
        return lines[0] if lines[0].startswith("Made with another") else ""

    assert changed() == ""
    if change == "contrast limits":
        viewer.layers.remove(cells)
        image = viewer.add_image(picture[..., 0], name="one channel")
        hand.run()
        assert changed() == ""
        image.contrast_limits = (0, 90)
        expected = "contrast or colormap"
    elif change == "channels":
        viewer.layers.remove(cells)
        first = viewer.add_image(picture[..., 0], name="first")
        second = viewer.add_image(picture[..., 1], name="second", blending="additive")
        hand.select_layer(first)
        hand.run()
        assert changed() == ""
        widget["channels"].value = [] if widget["channels"].value else [second]
        expected = "choice of channels and contrast or colormap"
    elif change == "model":
        widget["model"].value = "local-dir:elsewhere"
        expected = "model"
    else:
        hand.open_section("View")
        qtbot.keyClick(widget["resolution"].native, Qt.Key.Key_Down)
        expected = "resolution"
    assert changed() == f"Made with another {expected}: press Run."
    hand.run()
    assert changed() == ""


def test_a_new_name_of_an_image_is_followed_by_all_that_names_it(
    viewer, widget, hand, cells, picture
):
    other = viewer.add_image(picture[::-1].copy(), name="Blood_55")
    hand.select_layer(other)
    hand.run()
    by_hand = viewer.layers["green - Blood_55"]
    by_hand.name = "mine"
    other.name = "smear"
    names = [each.name for each in own_heatmaps(viewer, other)]
    assert names == ["red - smear", "mine", "blue - smear"]
    assert [each.name for each in own_heatmaps(viewer, cells)] == ["red", "green", "blue"]
    third = viewer.add_image(picture.copy(), name="third")
    hand.select_layer(third)
    third.name = "fourth"
    assert "Not run on 'fourth'" in widget["status"].value
    hand.select_layer(other)
    hand.write(0, "red red")
    hand.settle()
    names = [each.name for each in own_heatmaps(viewer, other)]
    assert names == ["red red - smear", "mine", "blue - smear"]


def test_one_view_of_all_maps_gives_way_to_the_other(viewer, widget, hand, cells, qtbot):
    hand.open_section("Maps")
    before = hand.visible()
    assert len(before) == 1
    for first, second in (("compare", "best"), ("best", "compare")):
        hand.tick(first)
        qtbot.waitUntil(lambda: len(viewer.layers) > 4, timeout=TIMEOUT)
        hand.tick(second)
        assert not widget[first].value
        qtbot.waitUntil(
            lambda name=second: (
                ("best prompt - cells" in viewer.layers) == (name == "best")
                and any("beneath" in each.name for each in viewer.layers) == (name == "compare")
            ),
            timeout=TIMEOUT,
        )
        assert len(hand.visible()) == (0 if second == "best" else 3)
        hand.tick(second)
        qtbot.waitUntil(lambda: len(viewer.layers) == 4, timeout=TIMEOUT)
        assert hand.visible() == before
        assert cells.visible


def test_restore_brings_back_what_was_there_and_no_more(viewer, widget, hand, cells, qtbot):
    hand.select_layer(viewer.layers["blue"])
    qtbot.keyClick(viewer.window._qt_viewer.layers, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: "blue" not in viewer.layers, timeout=TIMEOUT)
    hand.press("remove_all")
    assert not own_heatmaps(viewer)
    hand.press("remove_all")
    hand.settle()
    assert [each.name for each in own_heatmaps(viewer)] == ["red", "green"]
    hand.cell(2, PromptColumn.SHOWN)
    hand.settle()
    qtbot.waitUntil(lambda: len(own_heatmaps(viewer)) == 3, timeout=TIMEOUT)


@pytest.mark.parametrize("pressed", ["run", "cancel"])
def test_space_pressed_again_on_run_or_cancel_does_nothing_else(
    widget, model, hand, cells, qtbot, pressed
):
    buttons = {name: widget[name].native for name in ("run", "cancel")}
    with qtbot.waitActive(widget.native.window()):
        widget.native.window().activateWindow()
    widget["invert"].value = True  # so that there is something to compute
    model.gate.clear()
    buttons["run"].setFocus()
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: buttons["cancel"].isEnabled() and model.asked.is_set(), timeout=TIMEOUT)
    if pressed == "cancel":
        buttons["cancel"].setFocus()
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Space)
    assert QApplication.focusWidget() is hand.table
    model.gate.set()
    qtbot.waitUntil(lambda: not widget.state.busy, timeout=TIMEOUT)
    assert QApplication.focusWidget() is hand.table


def test_the_row_of_channels_is_there_only_while_there_are_any(viewer, widget, hand, picture):
    def row_is_shown():
        return widget["channels"].native.isVisible()

    first = viewer.add_image(picture[..., 0], name="first")
    assert not row_is_shown()
    second = viewer.add_image(picture[..., 1], name="second")
    hand.select_layer(first)
    assert row_is_shown()
    viewer.layers.remove(second)
    assert widget["image"].value is first
    assert not row_is_shown()
    viewer.layers.append(second)
    hand.select_layer(first)
    assert row_is_shown()
    second.data = picture[:50, :50, 1]
    viewer.layers.move(0, 2)  # makes napari offer layers again
    assert not row_is_shown()


@pytest.mark.parametrize("gone", ["removed", "another image", "run again", "image removed"])
def test_the_status_bar_names_no_values_of_maps_that_are_gone(
    viewer, widget, hand, cells, picture, model, qtbot, gone
):
    def shown():
        return "red " in str(viewer.status) or any(
            hand.table.model().index(row, PromptColumn.CURSOR).data() for row in range(3)
        )

    hand.move_to(40, 20)
    qtbot.waitUntil(shown, timeout=TIMEOUT)
    if gone == "removed":
        hand.press("remove_all")
    elif gone == "another image":
        hand.select_layer(viewer.add_image(picture[::-1].copy(), name="other"))
    elif gone == "image removed":
        viewer.layers.remove(cells)
    else:
        widget["invert"].value = True
        model.gate.clear()
        hand.press("run")
        qtbot.waitUntil(model.asked.is_set, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: not shown(), timeout=TIMEOUT)


def test_a_row_that_repeats_another_says_why_it_has_no_map(viewer, widget, hand, cells):
    widget["prompts"].value = ["red", "green", "red ", "green | red", "GREEN", "red|green"]
    hand.settle()
    tips = [
        str(hand.table.model().index(row, PromptColumn.PROMPT).data(Qt.ItemDataRole.ToolTipRole))
        for row in range(6)
    ]
    without_map = [not match for match in hand.figures()[:: len(FIGURES)]]
    assert ["A row above asks the same" in tip for tip in tips] == without_map
    assert without_map[2]
    hand.write(2, "blue")
    hand.settle()
    assert hand.figures()[2 * len(FIGURES)]


@pytest.mark.parametrize("name", ["scale", "example_sign"])
def test_radio_buttons_stay_the_same_while_layers_come_and_go(
    viewer, widget, hand, cells, picture, qtbot, name
):
    hand.open_section("Examples")
    buttons = widget[name].native.findChildren(QRadioButton)
    with qtbot.waitActive(widget.native.window()):
        widget.native.window().activateWindow()
    buttons[1].setFocus()
    qtbot.keyClick(buttons[1], Qt.Key.Key_Space)
    chosen = widget[name].value
    viewer.layers.remove(viewer.add_image(picture[..., 0]))
    hand.write(0, "red red")
    hand.settle()
    assert widget[name].native.findChildren(QRadioButton) == buttons
    assert buttons[1].isChecked()
    assert widget[name].value == chosen
