"""How many files a reader must open to follow one Run: counted by tracing a real one."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import napari_clip_heatmap
from napari_clip_heatmap._napari.controllers import background
from napari_clip_heatmap._napari.widget import HeatmapWidget
from napari_clip_heatmap.scenes import sample_scene

PACKAGE = Path(napari_clip_heatmap.__file__).parent
MOST_MODULES = 60
MOST_MODULES_OF_THE_IMAGE = 38
"""The image's own way: everything outside `_napari`."""


@pytest.fixture
def entered(monkeypatch):
    """Record which modules of the package are entered, in every thread, from start to stop."""
    modules: set[str] = set()

    def record(frame, event, argument):
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE) and path.name != "__init__.py":
            modules.add(path.relative_to(PACKAGE).as_posix())

    guarded = background._guarded

    def traced(*work):
        sys.setprofile(record)
        try:
            return (yield from guarded(*work))
        finally:
            sys.setprofile(None)

    def start():
        monkeypatch.setattr(background, "_guarded", traced)
        threading.setprofile(record)
        sys.setprofile(record)

    def stop():
        sys.setprofile(None)
        threading.setprofile(None)
        return modules

    yield start, stop
    stop()


def test_a_run_can_be_followed_through_few_files(make_napari_viewer, qtbot, entered):
    start, stop = entered
    viewer = make_napari_viewer()
    image = viewer.add_image(sample_scene()[:256, :256], name="cells")
    widget = HeatmapWidget(viewer)
    viewer.window.add_dock_widget(widget)

    def run():
        widget["run"].native.click()
        qtbot.waitUntil(lambda: not widget.state.busy, timeout=120_000)

    def is_assessed():
        return widget.state.result is not None and widget.state.result.assessment is not None

    run()  # loads the model
    qtbot.waitUntil(is_assessed, timeout=120_000)
    noise = np.random.default_rng().integers(0, 9, image.data.shape, dtype=np.uint8)
    image.data = image.data // 2 + noise  # content that no cache holds
    start()
    run()
    qtbot.waitUntil(is_assessed, timeout=120_000)
    modules = stop()
    of_the_image = {name for name in modules if not name.startswith("_napari/")}
    assert {"core/token_map.py", "pipeline/verdicts.py"} <= of_the_image  # it was a whole run
    assert "_napari/controllers/layer_sync.py" in modules
    assert len(modules) <= MOST_MODULES, sorted(modules)
    assert len(of_the_image) <= MOST_MODULES_OF_THE_IMAGE, sorted(of_the_image)
