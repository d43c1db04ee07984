"""Controllers without a GUI: a real viewer model, a real state, no thread and no event loop."""

from __future__ import annotations

from inspect import isgenerator

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_clip_heatmap._napari.controllers import (
    click_ranking,
    layer_sync,
    live_update,
    preview,
    run_control,
)
from napari_clip_heatmap._napari.controllers.annotation import classify, object_maker, threshold
from napari_clip_heatmap._napari.controllers.background import EXPECTED_ERRORS
from napari_clip_heatmap._napari.state import DockState, PromptRow
from napari_clip_heatmap.errors import ClipHeatmapError

CONTROLS = {
    "model": "demo",
    "device": "auto",
    "precision": "auto",
    "preprocess": "as its files say",
    "score": "absolute",
    "baseline": [],
    "templates": "plain",
    "view": "raw",
    "invert": False,
    "resolution": "1",
    "quality": "standard",
    "where": "whole image",
    "slices": "current",
    "along": None,
    "first": 0,
    "last": 0,
    "colormap": "jet",
    "scale": "own",
    "opacity": 0.7,
    "compare": False,
    "best": False,
    "follow": False,
    "transparent_low": False,
    "color_bar": False,
    "ranking_list": "the prompts",
    "objects_of": "prompt",
    "object_prompt": None,
    "threshold_by": "otsu",
    "threshold": 0.5,
    "margin": 0.0,
    "min_size": 0,
    "split": False,
    "fill_holes": True,
    "by_image": False,
    "object_slices": "current",
    "outline": True,
}


class ImmediateJob:
    """`Job` in the calling thread: work is done when it is submitted, and cancelled by `stop`."""

    stop = False

    def __init__(self, on_result, on_error, *, on_step=None, on_end=None, debounce_ms=0, **_):
        self._on_result, self._on_error = on_result, on_error
        self._on_step, self._on_end = on_step, on_end
        self.running = self.closed = False

    def submit(self, prepare):
        try:
            work = prepare()
        except ClipHeatmapError as error:
            self._on_error(error)
            return
        if work is not None:
            self.start(work)

    def start(self, work):
        self.running = True
        self._do(work)
        self.running = False
        if self._on_end is not None:
            self._on_end()
        return True

    def _do(self, work):
        try:
            result = work(lambda: type(self).stop)
            if isgenerator(result):
                result = self._steps(result)
        except EXPECTED_ERRORS as error:
            self._on_error(error)
        else:
            self._on_result(result)

    def _steps(self, generator):
        while True:
            try:
                self._on_step(next(generator))
            except StopIteration as end:
                return end.value

    def cancel(self):
        type(self).stop = True

    def hold(self, held):
        """Nothing waits here."""

    def close(self):
        self.closed = True


class ImmediateTimer:
    """Qt's timer without Qt."""

    @staticmethod
    def singleShot(_milliseconds, slot):  # noqa: N802
        slot()


@pytest.fixture
def immediate(monkeypatch):
    """Let background work and repaints happen at once."""
    monkeypatch.setattr(ImmediateJob, "stop", False)
    for module in (
        click_ranking,
        live_update,
        preview,
        run_control,
        threshold,
        object_maker,
        classify,
    ):
        monkeypatch.setattr(module, "Job", ImmediateJob)
    for module in (layer_sync, run_control):
        monkeypatch.setattr(module, "QTimer", ImmediateTimer)
    return ImmediateJob


@pytest.fixture
def viewer_model():
    return ViewerModel()


@pytest.fixture
def cells(viewer_model, picture):
    return viewer_model.add_image(picture, name="cells")


@pytest.fixture
def state(cells):
    """What a dock knows that asks three prompts of `cells`."""
    rows = tuple(PromptRow(color, key=color[0]) for color in ("red", "green", "blue"))
    return DockState(image=cells, prompts=rows, controls=dict(CONTROLS))


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 255, (96, 120, 3), np.uint8)
