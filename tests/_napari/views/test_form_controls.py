"""The controls that are always visible."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_clip_heatmap._napari.colormaps import LayerStyle
from napari_clip_heatmap._napari.views.control_spec import ControlSection, ControlSources
from napari_clip_heatmap._napari.views.form_controls import (
    ACTION_CONTROLS,
    FORM_CONTROLS,
    RUN_SLICE,
)
from napari_clip_heatmap.pipeline.score_registry import SCORES


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
    assert not any(spec.section.is_tab for spec in ACTION_CONTROLS)


def test_every_score_is_a_choice_and_explained(controls):
    assert controls["score"].choices == tuple(SCORES)
    for name in SCORES:
        assert f"{name}: " in controls["score"].tooltip


def test_images_are_read_anew_when_the_choices_are_reset(controls, viewer):
    assert controls["image"].value is None
    layer = viewer.add_image(np.zeros((4, 4)))
    controls["image"].reset_choices()
    assert controls["image"].value is layer


def test_it_starts_with_words_that_the_bundled_model_knows(controls):
    assert controls["model"].value == "demo"
    assert controls["prompts"].value == ["nuclei", "filaments", "mitochondria"]


@pytest.mark.parametrize("name", ["run", "cancel", "show_all", "hide_all", "remove_all"])
def test_buttons_tell_when_they_are_clicked(controls, name):
    clicked = []
    controls[name].changed.connect(lambda: clicked.append(name))
    controls[name].native.click()
    assert clicked == [name]


def test_the_scale_is_shared_and_the_other_one_a_click_away(controls):
    assert controls["scale"].value == "shared"
    assert controls["scale"].choices == ("shared", "own")


def test_run_has_room_for_its_longest_text(controls):
    button = controls["run"].native
    controls["run"].text = RUN_SLICE
    assert button.minimumWidth() > button.fontMetrics().horizontalAdvance(RUN_SLICE)
