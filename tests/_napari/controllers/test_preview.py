"""The thumbnail and the line below it, in a real viewer."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QRect, QThreadPool
from qtpy.QtWidgets import QApplication

from napari_clip_heatmap._napari.views.form_controls import ACTION_CONTROLS, FORM_CONTROLS
from napari_clip_heatmap._napari.views.section_controls import SECTION_CONTROLS
from napari_clip_heatmap._napari.widget import HeatmapWidget


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1500, 900)  # with the dock open, room for all of an image
    return viewer


@pytest.fixture
def widget(viewer, progressive_session):
    widget = HeatmapWidget(viewer, progressive_session)
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    widget.tabs.open("View")
    yield widget
    assert QThreadPool.globalInstance().waitForDone(20_000)


@pytest.fixture
def shows(viewer, widget, qtbot):
    """Wait until the thumbnail shows something that holds."""
    fitted = []

    def shows(holds):
        preview = widget["preview"]
        if not fitted:  # once the docks have taken their room
            QApplication.processEvents()
            viewer.reset_view()
            fitted.append(True)
        qtbot.waitUntil(
            lambda: preview.pixels is not None and holds(preview.pixels), timeout=20_000
        )

    return shows


def test_shows_what_the_model_is_shown(viewer, widget, shows):
    data = np.random.default_rng(0).integers(0, 4000, (60, 80)).astype(np.uint16)
    layer = viewer.add_image(data, contrast_limits=(0, 4000), colormap="green")
    green = np.rint(data / 4000 * 255)
    shows(lambda rgb: rgb.shape == (60, 80, 3) and np.abs(rgb[..., 1] - green).max() <= 1)
    assert not widget["preview"].pixels[..., 0].any()
    layer.contrast_limits = (3999, 4000)
    shows(lambda rgb: rgb[..., 1].mean() < 5)
    layer.colormap, layer.contrast_limits = "red", (0, 1)
    shows(lambda rgb: rgb[..., 0].mean() > 250 and rgb[..., 1].max() == 0)
    widget["invert"].value = True
    shows(lambda rgb: rgb[..., 1].min() == 255)


def test_shows_channels_together(viewer, widget, shows):
    layers = viewer.add_image(
        np.ones((2, 40, 40), np.uint8),
        channel_axis=0,
        colormap=["red", "green"],
        contrast_limits=(0, 1),
        name=["r", "g"],
    )
    viewer.layers.selection.active = layers[0]
    assert list(widget["channels"].choices) == [layers[1]]
    shows(lambda rgb: rgb[0, 0].tolist() == [255, 255, 0])
    widget["channels"].value = []
    shows(lambda rgb: rgb[0, 0].tolist() == [255, 0, 0])
    widget["channels"].value = [layers[1]]
    shows(lambda rgb: rgb[0, 0].tolist() == [255, 255, 0])
    layers[1].contrast_limits = (0, 2)
    shows(lambda rgb: rgb[0, 0].tolist() == [255, 128, 0])
    layers[1].name = "renamed"
    assert widget["channels"].value == [layers[1]]


def test_follows_the_slice_the_resolution_and_the_zoom(viewer, widget, shows):
    stack = np.zeros((3, 100, 100), np.uint8)
    stack[2] = 255
    viewer.add_image(stack, contrast_limits=(0, 255))
    viewer.dims.set_point(0, 0)
    shows(lambda rgb: rgb.shape == (100, 100, 3) and not rgb.any())
    viewer.dims.set_point(0, 2)
    shows(lambda rgb: rgb.min() == 255)
    widget["resolution"].value = "4"
    shows(lambda rgb: rgb.shape == (25, 25, 3))
    camera = getattr(viewer, "scene", viewer).camera
    camera.zoom = 100
    shows(lambda rgb: max(rgb.shape[:2]) < 10)


def test_says_how_fine_the_map_will_be(viewer, widget, qtbot):
    viewer.add_image(np.eye(64), scale=(0.4, 0.4), units=("um", "um"))
    expected = "one patch = 3.2 µm, a tile = 38.4 µm"
    qtbot.waitUntil(lambda: widget["resolution_info"].value == expected, timeout=20_000)
    widget["resolution"].value = "0.8 um"
    expected = "one patch = 6.4 µm, a tile = 76.8 µm"
    qtbot.waitUntil(lambda: widget["resolution_info"].value == expected, timeout=20_000)
    widget["resolution"].value = "two"
    qtbot.waitUntil(lambda: "accepted: auto" in widget["resolution_info"].value, timeout=20_000)


def test_rows_for_stacks_show_only_for_stacks(viewer, widget):
    widget.tabs.open("Where")
    viewer.add_image(np.eye(9))
    assert not widget["slices"].native.isVisible()
    viewer.add_image(np.ones((3, 9, 9)), axis_labels=("z", "y", "x"))
    assert widget["slices"].native.isVisible()
    assert not widget["along"].native.isVisible()
    widget["slices"].value = "range"
    assert widget["along"].value == "z"
    assert widget["first"].native.isVisible()


def test_every_part_has_a_place_of_its_own(viewer, progressive_session, qtbot):
    widget = HeatmapWidget(viewer, progressive_session)  # not docked: as high as it wants to be
    viewer.add_image(np.ones((3, 9, 9)))
    widget["slices"].value = "range"
    widget["score"].value = "contrast"
    widget.native.resize(400, 2000)
    widget.native.show()
    seen = set()
    for number in range(widget.tabs.count()):
        widget.tabs.setCurrentIndex(number)
        qtbot.wait(50)  # a scrolled part is laid out when Qt has seen to all else
        visible = [part for part in widget if part.native.isVisible()]
        places = {
            part.name: QRect(part.native.mapTo(widget.native, QPoint(0, 0)), part.native.size())
            for part in visible
        }
        pairs = combinations(places.items(), 2)
        assert not [(one, other) for (one, a), (other, b) in pairs if a.intersects(b)]
        seen |= {*places}
    own = (*FORM_CONTROLS, *SECTION_CONTROLS, *ACTION_CONTROLS)
    assert {spec.name for spec in own} - seen == {"channels"}  # this image has one only
    widget.native.close()
    widget.native.deleteLater()


def test_the_dock_can_be_narrow(widget):
    assert widget.native.minimumSizeHint().width() <= 400
