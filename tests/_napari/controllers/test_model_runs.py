"""A run that has to download its model first."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QThreadPool

from napari_clip_heatmap._napari.controllers.layers import own_heatmaps
from napari_clip_heatmap._napari.widget import HeatmapWidget


@pytest.fixture
def viewer(make_napari_viewer):
    yield make_napari_viewer()
    assert QThreadPool.globalInstance().waitForDone(20_000)


@pytest.fixture
def widget(viewer, session, hub):
    session.download = hub.catalog.download
    widget = HeatmapWidget(viewer, session, hub.catalog)
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    widget["model"].value = "ViT-B-16/web"
    widget["prompts"].value = ["red", "green"]
    return widget


def test_says_what_it_downloads_is_cancelled_and_goes_on(
    viewer, widget, hub, loads, picture, qtbot, messages
):
    viewer.add_image(picture)
    widget["run"].native.click()
    hub.gate.release(3)
    reported = "Downloading ViT-B-16/web: 3 of 10 MB"
    qtbot.waitUntil(lambda: reported in widget["status"].value, timeout=20_000)
    assert (widget["progress"].value, widget["progress"].max) == (3, 10)
    widget["cancel"].native.click()
    qtbot.waitUntil(lambda: widget["run"].enabled, timeout=20_000)
    assert widget["status"].value == "Cancelled"
    assert not loads
    hub.gate.release(7)
    widget["run"].native.click()
    qtbot.waitUntil(lambda: len(own_heatmaps(viewer)) == 2, timeout=60_000)
    qtbot.waitUntil(lambda: widget["run"].enabled, timeout=60_000)
    assert hub.asked == [("ViT-B-16/web", 0), ("ViT-B-16/web", 3)]
    assert loads == ["ViT-B-16/web"]
    assert not messages


def test_used_while_the_chooser_downloads_it_goes_on_in_the_run(
    viewer, widget, hub, loads, picture, qtbot, messages
):
    viewer.add_image(picture)
    widget["choose"].native.click()
    chooser = widget.chooser
    qtbot.waitUntil(lambda: "4 models" in chooser.view.status.text(), timeout=20_000)
    assert chooser.view.table.currentIndex().data() == "ViT-B-16/web"
    chooser.view.download.click()
    hub.gate.release(4)
    qtbot.waitUntil(lambda: chooser.view.progress.value() == 4, timeout=20_000)
    chooser.view.use.click()
    widget["run"].native.click()
    hub.gate.release(6)
    qtbot.waitUntil(lambda: len(own_heatmaps(viewer)) == 2, timeout=60_000)
    qtbot.waitUntil(lambda: widget["run"].enabled, timeout=60_000)
    assert hub.kept == 10
    assert not chooser._download.running
    assert not messages
