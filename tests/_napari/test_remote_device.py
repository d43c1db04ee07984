"""A run on the workers of a scheduler, from the device in the dock to the layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from distributed import LocalCluster

from napari_clip_heatmap._napari.job.session import Session
from napari_clip_heatmap._napari.widget import HeatmapWidget
from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

pytestmark = [
    # Of the libraries that are used here, when a cluster ends.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]

IMAGE = np.random.default_rng(0).integers(0, 255, (400, 500), dtype=np.uint8)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as started:
        yield started


@pytest.fixture
def dock(make_napari_viewer: Any, tmp_path: Any) -> Any:
    viewer = make_napari_viewer()
    viewer.add_image(IMAGE, name="cells")
    widget = HeatmapWidget(viewer, Session(cache=EncodingCache(tmp_path / "cache")))
    viewer.window.add_dock_widget(widget, name="CLIP Heatmap")
    widget["prompts"].value = ["nuclei", "background"]
    widget["resolution"].value = "1"
    return widget


def test_the_workers_of_a_scheduler_encode(dock: Any, cluster: LocalCluster, qtbot: Any) -> None:
    steps = []
    dock.state.events.step.connect(lambda step: steps.append(step))

    def run(device: str) -> Any:
        dock["device"].value = device
        dock["run"].native.click()
        qtbot.waitUntil(lambda: dock["run"].enabled, timeout=120_000)
        assert dock.state.result is not None, dock["status"].value
        return dock.state.result.result

    there = run(cluster.scheduler_address)
    assert {each.total for each in steps if each is not None and each.total} == {there.tiles}
    values = np.asarray(dock._viewer.layers["nuclei"].data)
    assert cluster.scheduler_address in str(there.tiling)
    assert there.complete
    dock._session.cache.clear()
    here = run("cpu")
    assert here.tiles == there.tiles
    mine = np.asarray(dock._viewer.layers["nuclei"].data)
    np.testing.assert_allclose(values, mine, atol=1e-6 * np.abs(mine).max())


def test_a_scheduler_that_nobody_knows_is_not_connected_to(dock: Any, qtbot: Any) -> None:
    dock["device"].value = "tcp://192.0.2.1:8786"
    dock["run"].native.click()
    qtbot.waitUntil(lambda: dock["run"].enabled, timeout=60_000)
    assert "no certificate" in dock["status"].value
    assert [layer.name for layer in dock._viewer.layers] == ["cells"]
