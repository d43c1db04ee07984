"""Random actions in a real viewer: nothing crashes, raises, or stays busy.

``CLIP_HEATMAP_MONKEY=20x250 pytest tests/_napari/test_monkey.py`` tries 20 seeds of 250 actions;
``CLIP_HEATMAP_MONKEY_WITHOUT=do_run,do_edit`` leaves some out, to find the one that matters.

With Mesa's software renderer (22.3), napari 0.9.2 and vispy 0.17, napari alone ends in a
segmentation fault where layers are removed and others drawn::

    viewer = napari.Viewer()
    for _ in range(6):  # after each line the window draws
        first = viewer.add_image(np.random.random((40, 48)))
        viewer.add_image(np.random.random((40, 48)))
        viewer.layers.remove(first)
        viewer.add_image(np.random.random((40, 48)))
        viewer.add_image(np.random.random((40, 48)))
        for layer in list(viewer.layers):
            viewer.layers.remove(layer)

napari deletes what it drew of a layer while another OpenGL context than its canvas's is the current
one. `HeatmapWidget` makes the canvas's the current one before a layer goes, so with the dock open
this, too, goes well.
"""

from __future__ import annotations

import os
import random

import numpy as np
import pytest
from napari.layers import Image
from napari.utils import progress
from qtpy.QtWidgets import QApplication

from napari_clip_heatmap._napari.controllers.layers import own_heatmaps
from napari_clip_heatmap._napari.inputs.layer_planes import is_heatmap

SEEDS, ACTIONS = map(int, os.environ.get("CLIP_HEATMAP_MONKEY", "1x30").split("x"))
WITHOUT = os.environ.get("CLIP_HEATMAP_MONKEY_WITHOUT", "").split(",")

pytestmark = pytest.mark.long

PROMPTS = ("red", "green", "blue", "some more", "red | green", "red - red", "blue |", "")


class Monkey:
    """Does one thing after another, as a user might."""

    def __init__(self, viewer, widget, seed):
        self.viewer, self.widget = viewer, widget
        self.choose = random.Random(seed)
        self.pixels = np.random.default_rng(seed)
        self.done = []

    def act(self):
        names = [name for name in dir(self) if name.startswith("do_") and name not in WITHOUT]
        name = self.choose.choice(names)
        self.done.append(name)
        getattr(self, name)()
        for _ in range(self.choose.randrange(4)):
            QApplication.processEvents()

    def do_add_image(self):
        if len(self.viewer.layers) < 12:
            shape = self.choose.choice([(40, 48), (64, 64), (40, 48, 3), (3, 40, 48)])
            self.viewer.add_image(self.pixels.integers(0, 255, shape, np.uint8))

    def do_remove(self):
        if len(self.viewer.layers):
            self.viewer.layers.remove(self.choose.choice(list(self.viewer.layers)))

    def do_rename(self):
        if len(self.viewer.layers):
            layer = self.choose.choice(list(self.viewer.layers))
            layer.name = self.choose.choice(["red", "mine", "cells"])

    def do_run(self):
        self.widget.start()

    def do_run_again(self):
        self.widget["run"].native.click()

    def do_cancel(self):
        self.widget["cancel"].native.click()

    def do_edit(self):
        model = self.widget["prompts"].model
        if model.rows:
            number = self.choose.randrange(len(model.rows))
            model.rewrite(number, self.choose.choice(PROMPTS))

    def do_insert(self):
        model = self.widget["prompts"].model
        if len(model.rows) < 6:
            model.insert([self.choose.choice(PROMPTS)], self.choose.randrange(len(model.rows) + 1))

    def do_remove_row(self):
        model = self.widget["prompts"].model
        if model.rows:
            model.remove([self.choose.randrange(len(model.rows))])

    def do_move_row(self):
        model = self.widget["prompts"].model
        if model.rows:
            numbers = range(len(model.rows))
            model.move(self.choose.choice(numbers), self.choose.choice(numbers))

    def do_undo(self):
        self.widget["prompts"].model.stack.undo()

    def do_slide(self):
        dims = self.viewer.dims
        for axis in range(dims.ndim - 2):
            dims.set_current_step(axis, self.choose.randrange(3))

    def do_select(self):
        if len(self.viewer.layers):
            self.viewer.layers.selection.active = self.choose.choice(list(self.viewer.layers))

    def do_step(self):
        self.widget.visibility.step(self.choose.choice([1, -1]))

    def do_tick(self):
        model = self.widget["prompts"].model
        if model.rows:
            self.widget.visibility.show(
                self.choose.choice(model.rows).key, self.choose.random() < 0.5
            )

    def do_change_control(self):
        name, values = self.choose.choice(
            [
                ("score", ("relative", "absolute", "softmax")),
                ("scale", ("own", "shared")),
                ("opacity", (0.2, 0.9)),
                ("compare", (True, False)),
                ("best", (True, False)),
                ("follow", (True, False)),
                ("color_bar", (True, False)),
                ("slices", ("current", "all")),
                ("invert", (True, False)),
            ]
        )
        self.widget[name].value = self.choose.choice(values)

    def do_set_by_hand(self):
        ours = own_heatmaps(self.viewer)
        if ours:
            layer = self.choose.choice(ours)
            layer.opacity = self.choose.random()
            layer.colormap = self.choose.choice(["magma", "gray"])

    def do_open_tab(self):
        self.widget.tabs.setCurrentIndex(self.choose.randrange(self.widget.tabs.count()))

    def do_remove_all(self):
        self.widget["remove_all"].native.click()

    def do_reorder(self):
        count = len(self.viewer.layers)
        if count > 1:
            self.viewer.layers.move(self.choose.randrange(count), self.choose.randrange(count))

    def do_turn_to_3d(self):
        self.viewer.dims.ndisplay = self.choose.choice([2, 3])

    def do_replace_data(self):
        images = [
            layer
            for layer in self.viewer.layers
            if isinstance(layer, Image) and not is_heatmap(layer)
        ]
        if images:
            layer = self.choose.choice(images)
            layer.data = layer.data[..., ::-1].copy() if not layer.rgb else layer.data.copy()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_is_done_it_ends_idle_and_well(make_napari_viewer, session, qtbot, seed):
    from napari_clip_heatmap._napari.widget import HeatmapWidget

    viewer = make_napari_viewer(show=True)
    widget = HeatmapWidget(viewer, session)
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    widget["prompts"].value = ["red", "green", "blue"]
    monkey = Monkey(viewer, widget, seed)
    for _ in range(ACTIONS):
        monkey.act()
    widget["follow"].value = False
    widget.stop()
    qtbot.waitUntil(
        lambda: not widget.state.busy and not widget.live_updater.showing, timeout=60_000
    )
    assert not progress._all_instances, monkey.done
    viewer.layers.select_all()
    viewer.layers.remove_selected()
    viewer.add_image(np.eye(48))
    widget["compare"].value = widget["best"].value = False
    widget["prompts"].value = ["red", "green"]
    widget["score"].value = "absolute"
    widget.start()
    qtbot.waitUntil(
        lambda: not widget.state.busy and not widget.live_updater.showing, timeout=60_000
    )
    assert [layer.name for layer in own_heatmaps(viewer)] == ["red", "green"], monkey.done


def test_layers_come_and_go_without_a_run(make_napari_viewer, session):
    """The shortest script that crashes napari alone."""
    from napari_clip_heatmap._napari.widget import HeatmapWidget

    viewer = make_napari_viewer(show=True)
    viewer.window.add_dock_widget(HeatmapWidget(viewer, session), name="CLIP Heatmap")

    def draw():
        for _ in range(4):
            QApplication.processEvents()

    def add():
        layer = viewer.add_image(np.random.default_rng(0).random((40, 48)))
        draw()
        return layer

    def remove(layer):
        viewer.layers.remove(layer)
        draw()

    draw()
    for _ in range(6):
        first = add()
        add()
        remove(first)
        add()
        add()
        for layer in list(viewer.layers):
            remove(layer)
    assert not viewer.layers


def test_a_hundred_layers_come_and_go(make_napari_viewer, session, picture, qtbot):
    from napari_clip_heatmap._napari.widget import HeatmapWidget

    viewer = make_napari_viewer(show=True)
    widget = HeatmapWidget(viewer, session)
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    viewer.add_image(picture, name="cells")
    widget["prompts"].value = ["red", "green", "blue", "some more", "and a fifth one"]
    widget.start()
    for _ in range(20):
        qtbot.waitUntil(
            lambda: (
                not widget.state.busy
                and not widget.live_updater.showing
                and len(own_heatmaps(viewer)) == 5
            ),
            timeout=60_000,
        )
        widget["remove_all"].native.click()
        assert not own_heatmaps(viewer)
        widget["remove_all"].native.click()
