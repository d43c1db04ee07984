"""What a microscopist may trust, in a real viewer: scales, names, previews, hand-set colors."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QRadioButton

from napari_clip_heatmap._napari.controllers.layers import heatmaps_by_row, own_heatmaps
from napari_clip_heatmap._napari.controllers.live_update import text_overlay_of
from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY
from napari_clip_heatmap._napari.state import FAINTNESS
from napari_clip_heatmap._napari.views.prompt_cells import TRUST, PromptColumn
from napari_clip_heatmap.pipeline.trust import Trust


@pytest.fixture
def image(viewer, widget, picture, qtbot):
    """The picture, run and judged."""
    image = viewer.add_image(picture, name="Blood_12")
    widget.start()
    qtbot.waitUntil(lambda: widget["run"].enabled, timeout=60_000)
    qtbot.waitUntil(lambda: widget.state.result.assessment is not None, timeout=60_000)
    return image


def ours(viewer, widget):
    return list(heatmaps_by_row(viewer, widget.state.image).values())


def settle(widget, qtbot):
    """Wait until the maps have followed."""
    qtbot.wait(100)
    qtbot.waitUntil(
        lambda: widget["run"].enabled and not widget.live_updater.showing, timeout=60_000
    )


def test_all_maps_have_one_scale_and_are_clear_where_nothing_speaks_for_them(
    viewer, widget, image, qtbot
):
    layers = ours(viewer, widget)
    assert widget["scale"].value == "shared"
    assert len({tuple(layer.contrast_limits) for layer in layers}) == 1
    low, high = layers[0].contrast_limits
    assert low == 0
    assert high == pytest.approx(max(float(np.nanmax(layer.data)) for layer in layers), rel=1e-3)
    assert layers[0].colormap.map(np.array([0.0, 1.0]))[:, 3].tolist() == [0, 1]
    buttons = widget["scale"].native.findChildren(QRadioButton)
    (own,) = (each for each in buttons if each.text() == "own")
    own.click()  # one click away: each map over its own range, as in published pictures
    assert len({tuple(layer.contrast_limits) for layer in layers}) == 3
    assert layers[0].colormap.map(np.array([0.0]))[0, 3] == 1


def test_a_map_that_is_not_to_be_trusted_is_faint_hatched_and_named(viewer, widget, image):
    trust = widget.state.result.trust
    model = widget["prompts"].model
    for number, row in enumerate(widget["prompts"].rows):
        layer = heatmaps_by_row(viewer, image)[row.key]
        expected = widget["opacity"].value * FAINTNESS.get(trust[row.key], 1.0)
        assert layer.opacity == pytest.approx(expected)
        assert model.index(number, PromptColumn.COLOR).data(TRUST) is trust[row.key]
    current = widget["prompts"].rows[0]
    assert text_overlay_of(viewer).text == f"red - trust: {trust[current.key]}"
    assert f"red - trust: {trust[current.key]}" in widget["notes"].value


def test_prompts_that_cancel_out_are_not_trusted(viewer, widget, image, qtbot):
    widget["prompts"].model.rewrite(0, "red - red")
    key = widget["prompts"].rows[0].key
    qtbot.waitUntil(
        lambda: (
            widget.state.result.result.scoring.prompts[0] == "red - red"
            and widget.state.result.trust.get(key) is Trust.NONE
        ),
        timeout=60_000,
    )
    layer = heatmaps_by_row(viewer, image)[key]
    assert float(np.nanmax(np.abs(layer.data))) < 1e-5


def test_layers_of_a_second_image_say_which(viewer, widget, image, picture, qtbot):
    other = viewer.add_image(picture[:, ::-1].copy(), name="Blood_55")
    widget.start()
    settle(widget, qtbot)
    assert [layer.name for layer in own_heatmaps(viewer, other)] == [
        "red - Blood_55",
        "green - Blood_55",
        "blue - Blood_55",
    ]
    assert [layer.name for layer in own_heatmaps(viewer, image)] == ["red", "green", "blue"]
    first = own_heatmaps(viewer, image)[1]
    viewer.layers.selection.active = first  # a map of the other image: that one is chosen
    assert widget["image"].value is image
    assert widget.state.current == first.metadata[METADATA_KEY]["row"]


def test_what_was_set_by_hand_stays_over_edits_scores_and_runs(viewer, widget, image, qtbot):
    layer = ours(viewer, widget)[0]
    key = layer.metadata[METADATA_KEY]["row"]
    layer.colormap, layer.opacity, layer.gamma = "magma", 0.35, 1.4
    layer.contrast_limits = (0.0, 0.5)
    expected = ("magma", 0.35, 1.4, (0.0, 0.5))

    def look():
        one = heatmaps_by_row(viewer, image)[key]
        return one.colormap.name, one.opacity, one.gamma, tuple(one.contrast_limits)

    widget["prompts"].model.rewrite(1, "some more")
    settle(widget, qtbot)
    assert look() == expected
    widget["score"].value = "absolute"
    settle(widget, qtbot)
    assert look() == expected
    widget.start()
    settle(widget, qtbot)
    assert look() == expected
    assert widget.state.style_of(image).colormap(key).name == "magma"  # the strip in the table
    widget["opacity"].value = 0.5  # the dock's own control counts again
    assert heatmaps_by_row(viewer, image)[key].opacity != 0.35
    widget["prompts"].model.set_color(0, "")
    assert heatmaps_by_row(viewer, image)[key].colormap.name != "magma"


def test_after_a_cancel_there_is_a_preview_and_no_verdict(
    viewer, progressive_session, model, qtbot
):
    from napari_clip_heatmap._napari.widget import HeatmapWidget

    widget = HeatmapWidget(viewer, progressive_session)
    viewer.window.add_dock_widget(widget)
    widget["prompts"].value = ["red", "green", "blue"]
    widget["resolution"].value = "1"
    rng = np.random.default_rng(0)
    viewer.add_image(rng.integers(0, 255, (200, 200, 3), np.uint8), name="large")
    model.hold_after = 2  # the coarse look, and one batch
    model.gate.clear()
    widget.start()
    qtbot.waitUntil(lambda: len(own_heatmaps(viewer)) == 3, timeout=60_000)
    qtbot.waitUntil(lambda: text_overlay_of(viewer).text == "red - preview", timeout=60_000)
    widget.stop()
    model.gate.set()
    qtbot.waitUntil(lambda: widget["run"].enabled, timeout=60_000)
    assert widget.state.result.is_preview
    qtbot.wait(500)
    assert widget.state.result.assessment is None
    assert text_overlay_of(viewer).text == "red - preview"
    assert "Preview" in widget["notes"].value
    data = own_heatmaps(viewer)[0].data
    assert 0.05 < np.isnan(data).mean() < 0.6, "what is coarse is striped"
    widget.start()
    settle(widget, qtbot)
    assert not np.isnan(own_heatmaps(viewer)[0].data).any()
    qtbot.waitUntil(lambda: "trust" in text_overlay_of(viewer).text, timeout=60_000)


def test_remove_all_can_be_taken_back(viewer, widget, image, qtbot):
    widget["remove_all"].native.click()
    assert own_heatmaps(viewer) == []
    assert widget["remove_all"].text == "Restore"
    assert not text_overlay_of(viewer).visible
    widget["remove_all"].native.click()
    settle(widget, qtbot)
    assert [layer.name for layer in own_heatmaps(viewer)] == ["red", "green", "blue"]
    assert widget["remove_all"].text == "Remove all"


def test_channels_of_one_image_are_shown_to_the_model_together(viewer, widget, picture, qtbot):
    assert not widget["channels"].native.isVisible()
    with qtbot.waitExposed(viewer.window._qt_window):
        viewer.window._qt_window.show()
    viewer.add_image(picture, channel_axis=2, name=["DNA", "actin", "membrane"])
    assert widget["image"].value.name == "membrane"
    assert {layer.name for layer in widget.state.channels} == {"DNA", "actin"}
    box = widget["channels"].native
    qtbot.waitUntil(box.isVisible)
    qtbot.wait(50)  # until it is laid out
    spot = box.visualItemRect(box.item(0)).center()
    qtbot.mouseClick(box.viewport(), Qt.MouseButton.LeftButton, pos=spot)  # unticks the first
    assert {layer.name for layer in widget.state.channels} == {"actin"}
    viewer.layers.selection.active = viewer.layers["actin"]
    assert {layer.name for layer in widget.state.channels} == {"membrane"}, "still unticked"
    viewer.add_image(picture[:40], name="of another size")
    assert widget.state.channels == ()


def test_a_slice_that_is_not_computed_is_offered_by_run(viewer, widget, picture, qtbot):
    viewer.add_image(np.stack([picture, picture[::-1], picture]), name="stack")
    viewer.dims.set_current_step(0, 0)
    widget.start()
    settle(widget, qtbot)
    assert widget["run"].text == "Run"
    width = widget["run"].native.width()
    viewer.dims.set_current_step(0, 2)
    assert widget["run"].text == "Run slice"
    assert widget["run"].native.width() == width, "nothing moves"
    assert "Slice 2 is not computed" in widget["status"].value
    assert "not computed" in text_overlay_of(viewer).text
    widget["run"].native.click()
    settle(widget, qtbot)
    assert widget["run"].text == "Run"
    widget["follow"].value = True
    viewer.dims.set_current_step(0, 1)
    qtbot.waitUntil(
        lambda: widget.state.result is not None and (1,) in widget.state.result.result.planes,
        timeout=60_000,
    )
    settle(widget, qtbot)
    assert {*widget.state.result.result.planes} == {(0,), (1,), (2,)}


def test_a_rectangle_is_drawn_from_the_dock_and_does_not_dye_the_map(viewer, widget, image, qtbot):
    widget["draw"].native.click()
    outline = viewer.layers["region of Blood_12"]
    assert widget["where"].value is outline
    assert widget["image"].value is image
    outline.add_rectangles([[10, 10], [10, 90], [80, 90], [80, 10]])
    widget.start()
    settle(widget, qtbot)
    data = own_heatmaps(viewer, image)[0].data
    assert np.isfinite(data[20, 20])
    assert np.isnan(data[90, 110])
    assert not outline.face_color[:, 3].any()
