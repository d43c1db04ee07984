from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_clip_heatmap._napari.annotation_state import (
    BY_HAND,
    ObjectRule,
    read_object_settings,
)
from napari_clip_heatmap._napari.colormaps import LayerStyle
from napari_clip_heatmap._napari.controllers.annotation.threshold import OBJECT_CONTROLS
from napari_clip_heatmap._napari.views.annotation.annotate_controls import ANNOTATE_CONTROLS
from napari_clip_heatmap._napari.views.annotation.labels_choice import LabelsChoice
from napari_clip_heatmap._napari.views.control_spec import ControlSection, ControlSources


@pytest.fixture
def controls(qapp):
    sources = ControlSources(lambda: None, lambda: None, lambda: ("auto",), LayerStyle)
    return {spec.name: spec.widget(sources) for spec in ANNOTATE_CONTROLS}


def test_they_lie_in_two_sections():
    assert {spec.section for spec in ANNOTATE_CONTROLS} == {
        ControlSection.ANNOTATE,
        ControlSection.CLASSIFY,
    }


def test_every_setting_of_objects_has_a_control(controls):
    with_value = {spec.name for spec in ANNOTATE_CONTROLS if spec.has_value}
    assert {*OBJECT_CONTROLS} == with_value
    values = {name: controls[name].value for name in with_value}
    settings = read_object_settings(values, {"r": 0.5})
    assert settings.rule is ObjectRule.PROMPT
    assert settings.threshold_of("r") == "otsu"
    for rule in controls["objects_of"].choices:
        assert ObjectRule(rule)
    values["threshold_by"] = BY_HAND
    by_hand = read_object_settings(values, {"r": 0.5})
    assert by_hand.threshold_of("r") == 0.5
    assert by_hand.threshold_of("g") == "otsu"


def test_prompts_stay_when_napari_lets_controls_read_their_choices_again(controls):
    choice, heard = controls["object_prompt"], []
    assert choice.value is None
    choice.offer((("nuclei", "n"), ("debris", "d")))
    choice.value = "d"
    choice.changed.connect(heard.append)
    choice.reset_choices()
    assert choice.value == "d"
    assert choice.offered == (("nuclei", "n"), ("debris", "d"))
    assert heard == []


def test_a_layer_stays_chosen_when_another_comes_or_it_is_renamed(qapp):
    viewer = ViewerModel()
    choice = LabelsChoice(lambda: viewer, name="labels")
    assert choice.value is None
    first = viewer.add_labels(np.array([[0, 1]]), name="a")
    choice.reset_choices()
    assert choice.value is first
    viewer.add_labels(np.array([[0, 1]]), name="b")
    first.name = "c"
    choice.reset_choices()
    assert choice.value is first
    viewer.layers.remove(first)
    choice.reset_choices()
    assert choice.value is viewer.layers["b"]
