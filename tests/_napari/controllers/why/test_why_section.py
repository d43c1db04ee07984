"""Section Why here in a real viewer, with a small random transformer and a real mouse."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_clip_heatmap._napari.controllers.layers import heatmaps_by_row, own_heatmaps
from napari_clip_heatmap._napari.inputs.layer_regions import camera_of
from napari_clip_heatmap._napari.job.session import Session
from napari_clip_heatmap._napari.views.control_spec import ControlSection
from napari_clip_heatmap._napari.views.why.why_controls import CLICKED, IMAGE
from napari_clip_heatmap._napari.views.why.why_view import LEFT_OUT
from napari_clip_heatmap._napari.widget import HeatmapWidget
from napari_clip_heatmap.errors import ModelLoadError
from napari_clip_heatmap.pipeline.explanation.head_words import HeadWords

BUTTON = Qt.MouseButton.LeftButton
NONE, CTRL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier
PROMPTS = ["nuclei", "filaments", "an empty field"]


@pytest.fixture
def dock(make_napari_viewer, tiny_model, qtbot, tmp_path, monkeypatch):
    from napari_clip_heatmap.pipeline.explanation import head_words

    monkeypatch.setattr(head_words, "data_root", lambda: tmp_path)
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1000, 700)
    image = np.random.default_rng(0).integers(0, 256, (72, 96, 3), dtype=np.uint8)
    layer = viewer.add_image(image, name="cells", scale=(2, 2), translate=(5, 7))
    session = Session(lambda _name, **_options: tiny_model)
    widget = HeatmapWidget(viewer, session)
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    widget["prompts"].value = PROMPTS
    widget.start()
    settle(widget, qtbot)
    view = widget["why_grid"].view
    return SimpleNamespace(
        viewer=viewer, widget=widget, view=view, grid=view.grid, image=layer, session=session
    )


def settle(widget, qtbot):
    qtbot.waitUntil(
        lambda: not widget.state.busy and not widget.live_updater.showing, timeout=60_000
    )


def click_image(dock, qtbot, y, x):
    """Click on a pixel of the image with the mouse."""
    native = dock.viewer.window._qt_viewer.canvas.native
    camera = camera_of(dock.viewer)
    world = np.array(dock.image.data_to_world((y, x)))
    middle = np.array([native.height(), native.width()]) / 2
    row, column = np.rint((world - camera.center[-2:]) * camera.zoom + middle).astype(int)
    qtbot.mouseClick(native, BUTTON, NONE, QPoint(int(column), int(row)))


def open_section(dock, qtbot):
    dock.widget.open_section(ControlSection.WHY)
    qtbot.waitUntil(dock.view.isVisible)


def explained(dock, qtbot, begins):
    qtbot.waitUntil(
        lambda: dock.grid.figures is not None and dock.view.value.text().startswith(begins),
        timeout=20_000,
    )


def maps_value(dock, row, y, x):
    layer = heatmaps_by_row(dock.viewer, dock.image)[dock.widget.state.result.result.keys[row]]
    return float(layer.data[y, x])


def click_head(dock, qtbot, layer, head, modifier=NONE):
    spot = dock.grid.center_of((layer, head)).toPoint()
    qtbot.mouseClick(dock.grid, BUTTON, modifier, spot)


def head_layers(dock):
    return [
        layer for layer in dock.viewer.layers if "heads" in layer.metadata.get("clip_heatmap", {})
    ]


def test_the_grid_sums_to_the_value_that_was_clicked(dock, qtbot):
    assert "Press Run" in dock.view.value.text()
    open_section(dock, qtbot)
    click_image(dock, qtbot, 30, 41)
    explained(dock, qtbot, "At y = 30, x = 41")
    assert dock.grid.figures.values.shape == (3, 4)
    assert abs(dock.grid.figures.values.sum() - maps_value(dock, 0, 30, 41)) < 1e-5
    shown = float(re.search(r"nuclei ([+-][\d.]+)", dock.view.value.text())[1])
    assert abs(shown - maps_value(dock, 0, 30, 41)) < 1e-5
    # The current row decides whose value it is.
    dock.widget.state.current = dock.widget.state.result.result.keys[1]
    assert abs(dock.grid.figures.values.sum() - maps_value(dock, 1, 30, 41)) < 1e-5
    click_image(dock, qtbot, 3, 90)
    explained(dock, qtbot, "At y = 3, x = 90")
    assert abs(dock.grid.figures.values.sum() - maps_value(dock, 1, 3, 90)) < 1e-5


def test_the_whole_image_and_a_label_are_explained_too(dock, qtbot):
    labels = np.zeros((36, 48), int)
    labels[5:20, 8:30] = 7
    added = dock.viewer.add_labels(labels, name="cells by hand", scale=(4, 4), translate=(6, 8))
    open_section(dock, qtbot)
    dock.widget["why_place"].value = IMAGE
    explained(dock, qtbot, "The whole image")
    assert dock.grid.figures.rest is not None
    similarity = dock.widget.state.result.result.similarity[0]
    text = dock.view.value.text()
    assert f"{similarity:+.4f}"[:6] in text
    assert "MLPs" in text
    dock.widget["why_place"].value = added
    click_image(dock, qtbot, 20, 30)
    explained(dock, qtbot, "Mean over label 7")
    mask = np.kron(labels == 7, np.ones((2, 2), bool))
    layer = heatmaps_by_row(dock.viewer, dock.image)[dock.widget.state.result.result.keys[0]]
    assert f"{mask.sum()} px" in dock.view.value.text()
    assert abs(dock.grid.figures.values.sum() - layer.data[mask].mean()) < 1e-5
    click_image(dock, qtbot, 70, 94)
    qtbot.waitUntil(lambda: "no label where you clicked" in dock.view.value.text(), timeout=20_000)
    dock.widget["why_place"].value = CLICKED
    explained(dock, qtbot, "At y = 70")


def test_a_head_has_its_own_map(dock, qtbot):
    open_section(dock, qtbot)
    click_image(dock, qtbot, 30, 41)
    explained(dock, qtbot, "At y = 30")
    before = len(own_heatmaps(dock.viewer))
    click_head(dock, qtbot, 2, 1)
    qtbot.waitUntil(lambda: len(head_layers(dock)) == 1, timeout=20_000)
    (layer,) = head_layers(dock)
    assert layer.name == "nuclei \N{MIDDLE DOT} L2H1"
    nuclei = dock.viewer.layers["nuclei"]
    assert not nuclei.visible, "its colors would mix with those of the head"
    assert abs(layer.data[30, 41] - dock.grid.figures.values[2, 1]) < 1e-5
    np.testing.assert_allclose(layer.extent.world, dock.image.extent.world)
    assert len(own_heatmaps(dock.viewer)) == before
    click_head(dock, qtbot, 0, 3, CTRL)
    qtbot.waitUntil(lambda: layer.name == "nuclei \N{MIDDLE DOT} L0H3 + L2H1", timeout=20_000)
    both = dock.grid.figures.values[2, 1] + dock.grid.figures.values[0, 3]
    assert abs(layer.data[30, 41] - both) < 1e-5
    layer.name = "mine"  # and it stays
    click_head(dock, qtbot, 1, 1)
    qtbot.waitUntil(lambda: len(head_layers(dock)) == 2, timeout=20_000)
    click_head(dock, qtbot, 1, 1)  # none is selected
    qtbot.waitUntil(lambda: head_layers(dock) == [layer], timeout=20_000)
    assert nuclei.visible
    click_head(dock, qtbot, 1, 1)
    qtbot.waitUntil(lambda: not nuclei.visible, timeout=20_000)
    (by_hand,) = (each for each in head_layers(dock) if each is not layer)
    dock.viewer.layers.remove(by_hand)
    assert nuclei.visible


def test_heads_that_are_left_out_change_the_map(dock, qtbot):
    open_section(dock, qtbot)
    click_image(dock, qtbot, 30, 41)
    explained(dock, qtbot, "At y = 30")
    dock.view.mode.setCurrentText(LEFT_OUT)
    click_head(dock, qtbot, 2, 1)
    qtbot.waitUntil(lambda: len(head_layers(dock)) == 1, timeout=20_000)
    (layer,) = head_layers(dock)
    assert layer.name == "nuclei without L2H1"
    left = maps_value(dock, 0, 30, 41) - dock.grid.figures.values[2, 1]
    assert abs(layer.data[30, 41] - left) < 1e-5
    qtbot.waitUntil(lambda: "Similarity of the whole image" in dock.view.outcome.text())
    assert "direct effect only" in dock.view.outcome.text()
    similarity = dock.widget.state.result.result.similarity[0]
    assert f"{similarity:+.4f}"[:6] in dock.view.outcome.text()


def test_words_of_heads_are_in_the_grid(dock, qtbot, tiny_model):
    words = tuple(tuple((f"word {layer}{head}",) for head in range(4)) for layer in range(3))
    explained_by = tuple(tuple((0.5,) for _ in range(4)) for _ in range(3))
    HeadWords(words, explained_by, tiny_model.weights_sha256, "tiny", 1, 9, 12).save()
    open_section(dock, qtbot)
    click_image(dock, qtbot, 30, 41)
    explained(dock, qtbot, "At y = 30")
    spot = dock.grid.center_of((1, 2))
    where, none = (spot, dock.grid.mapToGlobal(spot)), Qt.MouseButton.NoButton
    QApplication.sendEvent(dock.grid, QMouseEvent(QEvent.Type.MouseMove, *where, none, none, NONE))
    assert dock.view.hover.text().endswith("word 12")


def test_heads_are_described_over_the_open_images(dock, qtbot, tmp_path, monkeypatch):
    path = tmp_path / "words.txt"
    path.write_text("\n".join(f"thing {number}" for number in range(30)), encoding="utf-8")
    monkeypatch.setattr(QFileDialog, "open", lambda box: box.fileSelected.emit(str(path)))
    open_section(dock, qtbot)
    click_image(dock, qtbot, 30, 41)
    explained(dock, qtbot, "At y = 30")
    qtbot.mouseClick(dock.view.words, BUTTON)
    qtbot.waitUntil(lambda: dock.grid.figures.words != {}, timeout=20_000)
    assert dock.grid.figures.words[(2, 1)].startswith("thing ")
    assert len(dock.grid.figures.words[(2, 1)].split(", ")) == 3
    path.write_text("", encoding="utf-8")
    qtbot.mouseClick(dock.view.words, BUTTON)
    qtbot.waitUntil(lambda: "0 words were given" in dock.view.outcome.text(), timeout=20_000)


def test_out_of_sight_nothing_is_computed(dock, qtbot):
    click_image(dock, qtbot, 30, 41)
    qtbot.wait(200)
    assert dock.grid.figures is None
    open_section(dock, qtbot)
    explained(dock, qtbot, "At y = 30")


def test_an_error_is_shown(dock, qtbot, monkeypatch):
    def fail(_request):
        raise ModelLoadError("the file of weights is gone")

    monkeypatch.setattr(dock.session, "model_of", fail)
    open_section(dock, qtbot)
    click_image(dock, qtbot, 30, 41)
    qtbot.waitUntil(lambda: "the file of weights is gone" in dock.view.value.text(), timeout=20_000)
    assert dock.grid.figures is None


def test_the_grid_does_not_widen_the_dock(dock, qtbot):
    open_section(dock, qtbot)
    area = dock.widget.tabs.area
    before = area.widget().minimumSizeHint().width()
    click_image(dock, qtbot, 30, 41)
    explained(dock, qtbot, "At y = 30")
    qtbot.waitUntil(dock.view.words.isVisible)
    assert area.widget().minimumSizeHint().width() == before
