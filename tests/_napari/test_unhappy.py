"""Whatever happens while it runs: a clear word, what is done is kept, no thread is left."""

from __future__ import annotations

import threading

import dask.array as da
import numpy as np
import pytest
import torch
from qtpy.QtCore import QThreadPool

from napari_clip_heatmap._napari.controllers.layers import own_heatmaps
from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY
from napari_clip_heatmap._napari.widget import HeatmapWidget
from napari_clip_heatmap.clip.weights import Notices

PROMPTS = ["red", "green", "blue"]
WHOLE, WIDE = 15 * 15, 15 * 47  # tiles of `big`, and of three of it side by side
COARSE_LOOKS = 2  # of a run and of one that goes on


@pytest.fixture
def big():
    """Noise without a blank tile, uint8 (256, 256, 3)."""
    return np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)


@pytest.fixture
def viewer(make_napari_viewer):
    yield make_napari_viewer()
    assert QThreadPool.globalInstance().waitForDone(20_000)
    assert not [t for t in threading.enumerate() if t.name.startswith("clip-heatmap")]


@pytest.fixture
def widget(viewer, progressive_session):
    widget = HeatmapWidget(viewer, progressive_session)
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    widget["prompts"].value = PROMPTS
    widget["resolution"].value = "1"
    return widget


@pytest.fixture
def half_way(viewer, widget, model, qtbot):
    """Run until there are layers, and the model waits."""

    def half_way():
        model.hold_after, model.batches = 3, 0
        model.gate.clear()
        widget.start()
        qtbot.waitUntil(lambda: len(own_heatmaps(viewer)) == 3, timeout=60_000)
        qtbot.waitUntil(lambda: model.batches == model.hold_after, timeout=60_000)
        assert not widget["run"].enabled

    return half_way


@pytest.fixture
def finish(widget, model, qtbot):
    def finish():
        model.gate.set()
        qtbot.waitUntil(lambda: widget["run"].enabled, timeout=60_000)

    return finish


@pytest.fixture
def reported(messages):
    """Expect one notification, an error in words."""

    def reported(*words):
        assert [str(message.severity).lower() for message in messages] == ["error"]
        assert "Traceback" not in messages[0].message
        for word in words:
            assert word in messages[0].message

    return reported


def maps_are_whole(viewer):
    layers = own_heatmaps(viewer)
    return len(layers) == 3 and all(
        layer.metadata[METADATA_KEY]["complete"] and np.isfinite(layer.data).all()
        for layer in layers
    )


def test_the_image_is_removed(viewer, widget, half_way, finish, reported, big, model):
    image = viewer.add_image(big, name="cells")
    half_way()
    viewer.layers.remove(image)
    finish()
    reported("'cells' was removed")
    assert len(viewer.layers) == 3
    assert not viewer.layers["red"].metadata[METADATA_KEY]["complete"]
    assert model.batches <= 4


def test_its_data_are_replaced(viewer, widget, half_way, finish, reported, messages, big):
    image = viewer.add_image(big, name="cells")
    half_way()
    image.data = big[::-1]
    finish()
    reported("'cells' was replaced")
    assert len(own_heatmaps(viewer)) == 3
    messages.clear()
    widget.start()
    finish()
    assert maps_are_whole(viewer)
    assert not messages


def test_it_is_renamed(viewer, widget, half_way, finish, messages, big):
    image = viewer.add_image(big, name="cells")
    half_way()
    image.name = "tissue"
    finish()
    assert not messages
    assert maps_are_whole(viewer)
    assert viewer.layers["red"].metadata[METADATA_KEY]["source"] == "tissue"


def test_it_is_moved(viewer, widget, half_way, finish, messages, big):
    image = viewer.add_image(big)
    half_way()
    image.translate, image.scale, image.units = (30, 40), (2, 3), ("um", "um")
    finish()
    assert not messages
    assert maps_are_whole(viewer)
    for layer in own_heatmaps(viewer):
        np.testing.assert_allclose(layer.extent.world, image.extent.world)
        assert layer.units == image.units


def test_the_sliders_are_moved_and_the_view_turned(viewer, widget, half_way, finish, messages, big):
    viewer.add_image(np.stack([big[..., 0], big[..., 1]]))
    viewer.dims.set_point(0, 1)
    half_way()
    viewer.dims.set_point(0, 0)
    viewer.dims.ndisplay = 3
    finish()
    assert not messages
    done = np.isfinite(viewer.layers["red"].data).all((1, 2))
    assert done.tolist() == [False, True]


def test_a_heatmap_is_removed(viewer, widget, half_way, finish, messages, big):
    viewer.add_image(big)
    half_way()
    viewer.layers.remove("green")
    finish()
    assert not messages
    assert [layer.name for layer in own_heatmaps(viewer)] == ["red", "blue"]
    assert own_heatmaps(viewer)[0].metadata[METADATA_KEY]["complete"]


def test_reading_fails_and_the_next_run_goes_on(
    viewer, widget, half_way, finish, reported, messages, big, model
):
    gone = threading.Event()
    wide = np.tile(big[..., 0], (1, 3))  # three of the blocks that are read at once

    def read(block_id):
        if gone.is_set():
            raise OSError("the drive was ejected")
        y, x = block_id[0] * 64, block_id[1] * 64
        return wide[y : y + 64, x : x + 64]

    chunks = ((64,) * 4, (64,) * 12)
    lazy = da.map_blocks(read, chunks=chunks, dtype=np.uint8, meta=np.empty((0, 0), np.uint8))
    viewer.add_image(lazy, contrast_limits=(0, 255), cache=False)
    half_way()
    gone.set()
    finish()
    reported("could not be read", "the drive was ejected")
    assert len(own_heatmaps(viewer)) == 3
    assert not viewer.layers["red"].metadata[METADATA_KEY]["complete"]
    assert 1 < model.tiles < WIDE
    gone.clear()
    messages.clear()
    widget.start()
    finish()
    assert not messages
    assert maps_are_whole(viewer)
    assert WIDE < model.tiles <= WIDE + COARSE_LOOKS


def test_cancelled_it_keeps_what_is_done_and_goes_on_from_there(
    viewer, widget, half_way, finish, messages, big, model
):
    viewer.add_image(big)
    half_way()
    widget["cancel"].native.click()
    finish()
    assert model.batches <= 4
    assert "Cancelled" in widget["status"].value
    assert not messages
    assert not viewer.layers["red"].metadata[METADATA_KEY]["complete"]
    known = np.isfinite(viewer.layers["red"].data)
    assert 0.3 < known.mean() < 1  # the coarse look covers the rest, in stripes
    assert known[-40:].any(axis=1).all()
    assert 1 < model.tiles < WHOLE
    widget.start()
    finish()
    assert maps_are_whole(viewer)
    assert WHOLE < model.tiles <= WHOLE + COARSE_LOOKS


def test_the_viewer_is_closed(make_napari_viewer, progressive_session, model, big, qtbot, messages):
    viewer = make_napari_viewer()
    widget = HeatmapWidget(viewer, progressive_session)
    viewer.window.add_dock_widget(widget)
    viewer.add_image(big)
    model.hold_after = 3
    model.gate.clear()
    widget.start()
    qtbot.waitUntil(lambda: len(own_heatmaps(viewer)) == 3, timeout=60_000)
    viewer.close()
    model.gate.set()
    assert QThreadPool.globalInstance().waitForDone(20_000)
    qtbot.wait(50)
    assert model.batches <= 4
    assert not messages
    assert not [t for t in threading.enumerate() if t.name.startswith("clip-heatmap")]


def test_a_device_that_fails_mid_run_is_told_of_and_all_is_done(
    viewer, widget, model, big, finish, messages, monkeypatch
):
    answer, asked = model.token_map, []

    def token_map(batch):
        asked.append(len(batch))
        if model.device.type == "cuda" and len(asked) > 4:
            raise RuntimeError("CUDA error: unspecified launch failure")
        return answer(batch)

    def fall_back_to_cpu(reason):
        model.notices.add("device", f"cuda:0 {reason}, so the CPU went on.")
        model.device = torch.device("cpu")

    monkeypatch.setattr(model, "device", torch.device("cuda:0"))
    model.notices, model.token_map, model.fall_back_to_cpu = Notices(), token_map, fall_back_to_cpu
    viewer.add_image(big, name="big")
    widget.start()
    finish()
    assert not messages
    assert model.device.type == "cpu"
    assert "launch failure), so the CPU went on." in widget["notes"].value
    record = own_heatmaps(viewer)[0].metadata[METADATA_KEY]
    assert record["complete"]
    assert record["tiling"]["notices"] == widget["notes"].value.splitlines()
    assert record["tiling"]["tiles_done"] == WHOLE
    assert all(np.isfinite(layer.data).all() for layer in own_heatmaps(viewer))
