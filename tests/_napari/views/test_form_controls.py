"""The controls that are always visible."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_clip_heatmap._napari.colormaps import LayerStyle
from napari_clip_heatmap._napari.views.control_spec import ControlSection, ControlSources
from napari_clip_heatmap._napari.views.form_controls import ACTION_CONTROLS, FORM_CONTROLS
from napari_clip_heatmap.pipeline.score_registry import SCORES
from napari_clip_heatmap.prompting.language import TEMPLATES


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def devices():
    return ["auto", "cpu"]


@pytest.fixture
def controls(qapp, viewer, devices):
    sources = ControlSources(lambda: viewer, lambda: None, lambda: tuple(devices), LayerStyle)
    return {spec.name: spec.widget(sources) for spec in (*FORM_CONTROLS, *ACTION_CONTROLS)}


def test_the_form_is_at_the_top_and_actions_below():
    assert {spec.section for spec in FORM_CONTROLS} == {ControlSection.FORM}
    assert not any(spec.section.collapsible for spec in ACTION_CONTROLS)


def test_every_score_is_a_choice_and_explained(controls):
    assert controls["score"].choices == tuple(SCORES)
    for name in SCORES:
        assert f"{name}: " in controls["score"].tooltip


def test_templates_are_those_of_the_library_or_typed(controls):
    assert controls["templates"].choices == tuple(TEMPLATES)
    controls["templates"].value = "a photo of {}"
    assert controls["templates"].value == "a photo of {}"


def test_images_are_read_anew_when_the_choices_are_reset(controls, viewer):
    assert controls["image"].value is None
    layer = viewer.add_image(np.zeros((4, 4)))
    controls["image"].reset_choices()
    assert controls["image"].value is layer


def test_devices_found_later_are_offered(controls, devices):
    assert controls["device"].choices == ("auto", "cpu")
    devices.append("cuda")
    controls["device"].reset_choices()
    assert controls["device"].choices == ("auto", "cpu", "cuda")
    assert controls["device"].value == "auto"


def test_it_starts_with_words_that_the_bundled_model_knows(controls):
    assert controls["model"].value == "demo"
    assert controls["prompts"].value == ["nuclei", "filaments", "mitochondria"]


@pytest.mark.parametrize("name", ["run", "cancel", "show_all", "hide_all", "remove_all"])
def test_buttons_tell_when_they_are_clicked(controls, name):
    clicked = []
    controls[name].changed.connect(lambda: clicked.append(name))
    controls[name].native.click()
    assert clicked == [name]
