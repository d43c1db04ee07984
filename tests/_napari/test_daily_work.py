"""What a microscopist meets in an afternoon, in a real viewer."""

from __future__ import annotations

import numpy as np
import pytest
from napari.utils import progress
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_clip_heatmap._napari.controllers.layers import own_heatmaps
from napari_clip_heatmap._napari.views.prompt_cells import PromptColumn

FIGURES = (PromptColumn.SIMILARITY, PromptColumn.CURSOR, PromptColumn.VERDICT)


def run(widget, qtbot):
    widget.start()
    qtbot.waitUntil(
        lambda: not widget.state.busy and not widget.live_updater.showing, timeout=20_000
    )


def figures(widget):
    """The texts of the columns that are about an image."""
    model = widget["prompts"].model
    rows = range(len(model.rows))
    return [str(model.index(row, each).data() or "") for row in rows for each in FIGURES]


@pytest.fixture
def two_images(viewer, widget, picture, qtbot):
    """The first of them was run."""
    first = viewer.add_image(picture, name="first")
    second = viewer.add_image(picture[::-1, ::-1].copy(), name="second")
    viewer.layers.selection.active = first
    run(widget, qtbot)
    qtbot.waitUntil(lambda: widget.state.result.assessment is not None, timeout=20_000)
    return first, second


def test_figures_belong_to_the_image_that_is_named_above_them(two_images, viewer, widget, qtbot):
    first, second = two_images
    before = figures(widget)
    assert any(before)
    viewer.layers.selection.active = second
    assert widget["image"].value is second
    assert not any(figures(widget))
    assert "press Run" in widget["notes"].value
    assert "Not run on 'second'" in widget["status"].value
    viewer.layers.selection.active = first
    assert figures(widget) == before


def test_figures_go_with_their_image_and_when_a_run_begins(two_images, viewer, widget, qtbot):
    first, _ = two_images
    widget.start()
    assert not any(figures(widget))
    qtbot.waitUntil(lambda: not widget.state.busy, timeout=20_000)
    viewer.layers.remove(first)
    assert widget["image"].value is not first
    assert not any(figures(widget))


def test_figures_go_when_all_is_removed_and_come_back_with_the_maps(two_images, widget, qtbot):
    widget["remove_all"].native.click()
    assert not any(figures(widget))
    assert "encoded before" not in widget["status"].value
    widget["remove_all"].native.click()
    qtbot.waitUntil(lambda: any(figures(widget)), timeout=20_000)


def test_runs_leave_no_progress_bar_although_events_come_in_between(viewer, widget, picture, qtbot):
    viewer.add_image(picture, name="cells")
    beats = []
    timer = QTimer()
    timer.timeout.connect(lambda: beats.append(len(progress._all_instances)))
    timer.start(0)
    for number in range(12):
        widget.start()
        QApplication.processEvents()
        if number % 3 == 0:
            widget.stop()
        qtbot.waitUntil(lambda: not widget.state.busy, timeout=20_000)
        viewer.layers["cells"].data = np.roll(picture, number + 1, axis=0)
    timer.stop()
    assert beats
    assert max(beats) <= 1
    assert not progress._all_instances


def test_an_edit_followed_by_a_run_that_fails_loses_no_layer(viewer, widget, picture, qtbot):
    viewer.add_image(picture, name="cells")
    run(widget, qtbot)
    assert len(own_heatmaps(viewer)) == 3
    widget["model"].value = "absent"
    widget["prompts"].model.rewrite(0, "nuclei |")
    run(widget, qtbot)
    assert len(own_heatmaps(viewer)) == 3
    problem = widget["prompts"].model.index(0, PromptColumn.PROMPT)
    assert "nuclei |" in problem.data()
    assert widget.state.problems


def test_nothing_moves_when_texts_come(viewer, widget, picture, qtbot):
    viewer.window._qt_window.resize(1280, 720)
    viewer.add_image(picture, name="cells")
    qtbot.wait(100)
    native = widget["run"].native

    def place():
        return native.mapTo(widget.native, native.rect().topLeft())

    before = place()
    widget.state.message = "a long text " * 30
    widget.state.notes = ("a note " * 60,)
    qtbot.wait(100)
    assert place() == before
    run(widget, qtbot)
    assert place() == before


def test_without_a_region_there_is_no_value_at_the_border_that_its_inside_has_not(
    viewer, widget, qtbot
):
    """A flat dark ground is as clear at its border as within: no frame, no plaid of tiles."""
    ground = np.full((96, 128, 3), 8, np.uint8)
    ground[40:56, 50:66, 0] = 240
    viewer.add_image(ground, name="cells")
    run(widget, qtbot)
    (red,) = (layer for layer in own_heatmaps(viewer) if layer.name == "red")
    low, high = red.contrast_limits
    strength = np.clip((red.data - low) / (high - low), 0, 1)
    colors = red.colormap.map(strength.ravel()).reshape(*strength.shape, 4)
    opaque = colors[..., 3] > 0.1
    opaque[24:72, 34:82] = False  # the cell, and as far as a patch is interpolated
    assert not opaque.any()
