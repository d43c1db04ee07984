"""The tasks of docs/viewer.md with a real mouse: none takes more clicks than the page says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QComboBox, QLineEdit

from napari_clip_heatmap._napari.controllers.canvas.compare import grid_of
from napari_clip_heatmap._napari.controllers.layers import own_heatmaps
from napari_clip_heatmap._napari.views.prompt_cells import PromptColumn
from napari_clip_heatmap._napari.widget import HeatmapWidget

PAGE = Path(__file__).parents[2] / "docs" / "viewer.md"
MOST = 4
LEFT = Qt.MouseButton.LeftButton


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


class Mouse:
    """Clicks and counts."""

    def __init__(self, widget, qtbot):
        self.widget, self.qtbot, self.clicks = widget, qtbot, 0

    def press(self, name):
        self.click(self.widget[name].native)

    def click(self, native, spot=None, *, double=False):
        self.clicks += 1
        spot = native.rect().center() if spot is None else spot
        assert native.isVisible()
        self.qtbot.mouseClick(native, LEFT, pos=spot)
        if double:
            self.qtbot.mouseDClick(native, LEFT, pos=spot)

    def open_tab(self, title):
        (button,) = (each for each in self.widget.tabs.buttons if each.text() == title)
        self.click(button)

    def choose(self, name, text):
        box = self.widget[name].native
        box = box if isinstance(box, QComboBox) else box.findChild(QComboBox)
        self.click(box)
        entries = box.view()
        self.qtbot.waitUntil(entries.isVisible)
        self.qtbot.wait(QApplication.doubleClickInterval() + 50)  # else Qt takes it for the first
        index = box.model().index(box.findText(text), 0)
        self.click(entries.viewport(), entries.visualRect(index).center())

    def row(self, number, *, double=False):
        view = self.widget["prompts"].view
        index = view.model().index(number, PromptColumn.PROMPT)
        self.click(view.viewport(), view.visualRect(index).center(), double=double)

    def tick(self, name):
        box = self.widget[name].native
        self.click(box, QPoint(8, box.height() // 2))


@pytest.fixture
def mouse(widget, qtbot):
    return Mouse(widget, qtbot)


def settle(widget, qtbot):
    qtbot.waitUntil(
        lambda: not widget.state.busy and not widget.live_updater.showing, timeout=60_000
    )


@pytest.fixture
def ran(viewer, widget, picture, qtbot):
    viewer.add_image(picture, name="cells")
    widget.start()
    settle(widget, qtbot)


def written(task):
    """The clicks that the page says."""
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \|", PAGE.read_text(encoding="utf-8"), re.M)
    clicks = {name: int(number) for name, number in rows}
    assert max(clicks.values()) <= MOST
    assert len(clicks) >= 8
    return clicks[task]


def test_first_map(viewer, widget, mouse, picture, qtbot):
    viewer.add_image(picture, name="cells")
    mouse.press("run")
    settle(widget, qtbot)
    assert len(own_heatmaps(viewer)) == 3
    assert mouse.clicks == written("first map")


def test_change_prompts(viewer, widget, mouse, ran, qtbot):
    mouse.row(0, double=True)
    editor = widget["prompts"].view.findChild(QLineEdit)
    editor.selectAll()
    qtbot.keyClicks(editor, "some more")
    qtbot.waitUntil(lambda: own_heatmaps(viewer)[0].name == "some more", timeout=20_000)
    assert mouse.clicks == written("change prompts")


def test_another_map(viewer, widget, mouse, ran):
    mouse.row(2)
    assert [layer.name for layer in own_heatmaps(viewer) if layer.visible] == ["blue"]
    assert mouse.clicks == written("another map")


def test_three_channels(viewer, widget, mouse, picture, qtbot):
    viewer.add_image(picture, channel_axis=2, name=["DNA", "actin", "membrane"])
    mouse.press("run")
    settle(widget, qtbot)
    assert len(widget.state.result.request.channel_names) == 3
    assert mouse.clicks == written("three channels")


def test_z_stack(viewer, widget, mouse, picture, qtbot):
    viewer.add_image(np.stack([picture] * 3), name="stack")
    mouse.open_tab("Where")
    mouse.choose("slices", "all")
    mouse.press("run")
    settle(widget, qtbot)
    assert len(widget.state.result.result.planes) == 3
    assert mouse.clicks == written("all slices of a z-stack")


def test_slices_as_you_go(viewer, widget, mouse, picture, qtbot):
    viewer.add_image(np.stack([picture] * 3), name="stack")
    widget.start()
    settle(widget, qtbot)
    mouse.open_tab("Where")
    mouse.tick("follow")
    here = viewer.dims.current_step[0]
    viewer.dims.set_current_step(0, (here + 1) % 3)
    qtbot.waitUntil(
        lambda: widget.state.result is not None and len(widget.state.result.result.planes) == 2,
        timeout=60_000,
    )
    assert mouse.clicks == written("slices as you go")


def test_rectangle(viewer, widget, mouse, picture, qtbot):
    viewer.add_image(picture, name="cells")
    mouse.open_tab("Where")
    mouse.press("draw")
    layer = viewer.layers.selection.active
    assert layer.mode == "add_rectangle"
    layer.add_rectangles([[10, 10], [10, 90], [80, 90], [80, 10]])
    mouse.clicks += 1  # the drag that draws it
    mouse.press("run")
    settle(widget, qtbot)
    assert np.isnan(own_heatmaps(viewer)[0].data[90, 110])
    assert mouse.clicks == written("only a rectangle")


def test_another_model(viewer, widget, mouse, hub, loads, picture, qtbot):
    viewer.add_image(picture, name="cells")
    mouse.press("choose")
    view = widget.chooser.view
    qtbot.waitUntil(lambda: "4 models" in view.status.text(), timeout=20_000)
    table = view.table
    spot = table.visualRect(table.model().index(2, 1)).center()
    mouse.click(table.viewport(), spot, double=True)
    qtbot.waitUntil(lambda: widget["model"].value != "demo", timeout=20_000)
    mouse.press("run")
    settle(widget, qtbot)
    assert loads == [widget["model"].value]
    assert mouse.clicks == written("another model")


def test_compare(viewer, widget, mouse, ran, qtbot):
    mouse.open_tab("Maps")
    mouse.tick("compare")
    qtbot.waitUntil(lambda: grid_of(viewer).enabled, timeout=20_000)
    assert mouse.clicks == written("compare all maps")
