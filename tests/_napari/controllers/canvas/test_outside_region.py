"""A run inside a rectangle, after one of the whole image, in a real viewer."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from napari_clip_heatmap._napari.controllers.canvas.outside_region import DIMMED
from napari_clip_heatmap._napari.controllers.layers import METADATA_KEY, heatmaps_by_row


@pytest.fixture
def cells(viewer, picture):
    return viewer.add_image(picture, name="cells")


def run(widget, qtbot):
    widget.start()
    qtbot.waitUntil(
        lambda: not widget.state.busy and not widget.live_updater.showing, timeout=20_000
    )


def outside(viewer):
    return [
        layer
        for layer in viewer.layers
        if isinstance(layer, Image) and "outside_of" in layer.metadata.get(METADATA_KEY, ())
    ]


def choose_rectangle(viewer, widget):
    shapes = viewer.add_shapes(
        [[[0, 0], [0, 60], [96, 60], [96, 0]]], shape_type="rectangle", name="region"
    )
    widget["where"].reset_choices()
    widget["where"].value = shapes
    return shapes


def test_what_was_computed_outside_stays_dimmed_and_the_map_holds_the_region(
    viewer, widget, cells, qtbot
):
    run(widget, qtbot)
    first = widget["prompts"].rows[0].key
    whole = heatmaps_by_row(viewer, cells)[first].data.copy()
    assert not outside(viewer)
    choose_rectangle(viewer, widget)
    run(widget, qtbot)
    qtbot.waitUntil(lambda: len(outside(viewer)) == 1, timeout=20_000)
    (dimmed,) = outside(viewer)
    inner = heatmaps_by_row(viewer, cells)[first]
    known = np.isfinite(inner.data)
    assert known[:, :60].all()
    assert not known[:, 60:].any()
    np.testing.assert_array_equal(np.isfinite(dimmed.data), ~known)
    np.testing.assert_allclose(dimmed.data[:, 60:], whole[:, 60:], atol=1e-6)
    assert dimmed.opacity == pytest.approx(DIMMED * inner.opacity)
    assert dimmed.colormap.name == inner.colormap.name
    assert tuple(dimmed.contrast_limits) == pytest.approx(tuple(inner.contrast_limits))
    assert viewer.layers.index(dimmed) == viewer.layers.index(inner) - 1
    assert widget.state.image is cells, "it is not offered as an image"


def test_it_follows_the_current_row_and_the_opacity_and_goes_with_the_maps(
    viewer, widget, cells, qtbot
):
    run(widget, qtbot)
    choose_rectangle(viewer, widget)
    run(widget, qtbot)
    qtbot.waitUntil(lambda: len(outside(viewer)) == 1, timeout=20_000)
    assert outside(viewer)[0].name.startswith("red")
    widget.visibility.step(1)
    qtbot.waitUntil(lambda: [each.name[:5] for each in outside(viewer)] == ["green"])
    widget["opacity"].value = 0.4
    inner = viewer.layers["green"]
    assert inner.opacity <= 0.4
    qtbot.waitUntil(lambda: outside(viewer)[0].opacity == pytest.approx(DIMMED * inner.opacity))
    widget["remove_all"].native.click()
    qtbot.waitUntil(lambda: not outside(viewer))


def test_of_an_image_that_was_never_run_whole_only_its_tiles_reach_outside(
    viewer, widget, model, cells, qtbot
):
    choose_rectangle(viewer, widget)
    run(widget, qtbot)
    qtbot.wait(300)
    for dimmed in outside(viewer):
        assert np.isnan(dimmed.data[:, :60]).all()
        assert np.isnan(dimmed.data[:, 60 + model.image_size[1] :]).all()


def test_a_layer_that_the_user_removes_does_not_come_back(viewer, widget, cells, qtbot):
    run(widget, qtbot)
    choose_rectangle(viewer, widget)
    run(widget, qtbot)
    qtbot.waitUntil(lambda: len(outside(viewer)) == 1, timeout=20_000)
    viewer.layers.remove(outside(viewer)[0])
    widget["opacity"].value = 0.4
    qtbot.wait(300)
    assert not outside(viewer)
