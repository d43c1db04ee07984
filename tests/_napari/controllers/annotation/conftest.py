"""A dock whose image has been run, with mocks of the views about objects."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest

from napari_clip_heatmap._napari.annotation_state import ReplaceAnswer
from napari_clip_heatmap._napari.controllers import run_control, status
from napari_clip_heatmap._napari.controllers.annotation.object_layers import ObjectLayers
from napari_clip_heatmap._napari.controllers.annotation.object_maker import ObjectMaker
from napari_clip_heatmap._napari.controllers.annotation.outline_preview import OutlinePreview
from napari_clip_heatmap._napari.controllers.annotation.threshold import (
    OBJECT_CONTROLS,
    ThresholdController,
)
from napari_clip_heatmap._napari.controllers.run_control import RunController
from napari_clip_heatmap._napari.views.annotation.class_table import ClassTable
from napari_clip_heatmap._napari.views.annotation.gate_plot import GatePlot
from napari_clip_heatmap._napari.views.annotation.make_buttons import MakeButtons
from napari_clip_heatmap._napari.views.annotation.slice_plot import SlicePlot


class Control:
    """A control that writes its value into the state, as `ControlBinding` lets it."""

    def __init__(self, state, name):
        self._state, self._name, self.offered = state, name, ()

    def offer(self, choices):
        self.offered = choices

    @property
    def value(self):
        return self._state.controls[self._name]

    @value.setter
    def value(self, value):
        self._state.set_control(self._name, value)


@pytest.fixture
def picture():
    """A red, a green and a blue stripe without roughness, so that maps have one area each."""
    image = np.zeros((96, 120, 3), np.uint8)
    for channel in range(3):
        image[:, 40 * channel : 40 * (channel + 1), channel] = 235
    image[::16, ::16] = 255
    return image


@pytest.fixture
def ran(state, viewer_model, session, immediate, monkeypatch):
    """The state after a run."""
    monkeypatch.setattr(run_control, "show_error", pytest.fail)
    runner = RunController(state, viewer_model, session)
    runner.start()
    yield state
    runner.close()


@pytest.fixture
def controls(ran):
    chosen = SimpleNamespace(value=None, reset_choices=lambda: None)
    return {
        **{name: Control(ran, name) for name in OBJECT_CONTROLS},
        "make_objects": SimpleNamespace(view=MagicMock(spec=MakeButtons)),
        "slice_plot": SimpleNamespace(view=MagicMock(spec=SlicePlot)),
        "class_table": SimpleNamespace(view=MagicMock(spec=ClassTable)),
        "gate_plot": SimpleNamespace(view=MagicMock(spec=GatePlot)),
        "classified_layer": chosen,
        "classify": MagicMock(),
    }


@pytest.fixture
def rows_shown():
    return {}


@pytest.fixture
def threshold(ran, viewer_model, controls, rows_shown):
    preview = OutlinePreview(viewer_model)
    controller = ThresholdController(
        ran,
        viewer_model,
        controls,
        lambda name, *, shown: rows_shown.update({name: shown}),
        preview,
    )
    controller.preview = preview
    yield controller
    controller.close()
    preview.close()


@pytest.fixture
def ask():
    """Stand for the user, who answers `ask.answer` at once."""

    def answer(name, new_possible, then):
        then(fake.answer)

    fake = MagicMock(side_effect=answer, answer=ReplaceAnswer.CANCEL)
    return fake


@pytest.fixture
def object_layers(viewer_model, ran, ask):
    return ObjectLayers(viewer_model, ran.annotation, ask)


@pytest.fixture
def errors(monkeypatch):
    """What the user was told went wrong."""
    heard = []
    monkeypatch.setattr(status, "show_error", heard.append)
    return heard


@pytest.fixture
def maker(ran, viewer_model, threshold, object_layers, controls, errors):
    controller = ObjectMaker(
        ran,
        viewer_model,
        threshold,
        object_layers,
        controls["make_objects"].view,
        controls["slice_plot"].view,
    )
    yield controller
    controller.close()
