from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap._napari.controllers.read_controls import (
    input_layers,
    read_request,
    read_templates,
    read_view,
    same_prompts,
    with_prompts,
)
from napari_clip_heatmap.errors import ImageError, PromptError, SettingsError


def test_a_request_says_what_the_controls_say(state, viewer_model, cells):
    state.set_control("invert", True)
    request = read_request(state, viewer_model)
    assert request.prompts == ("red", "green", "blue")
    assert request.keys == ("r", "g", "b")
    assert (request.score, request.model, request.preprocess) == ("absolute", "demo", "")
    assert (request.view.mode, request.view.invert) == ("raw", True)
    assert request.downsample == 1
    assert request.region is None
    assert request.channel_names == ("cells",)
    assert request.stores[0] is cells.data
    assert [plane.index for plane in request.planes] == [()]


def test_a_baseline_counts_only_for_scores_that_take_one(state, viewer_model):
    state.set_control("baseline", ["background"])
    assert read_request(state, viewer_model).baseline == ()
    state.set_control("score", "contrast")
    assert read_request(state, viewer_model).baseline == ("background",)


def test_other_prompts_give_another_request_of_the_same_encoding(state, viewer_model):
    request = read_request(state, viewer_model)
    assert same_prompts(request, with_prompts(state, request))
    state.prompts = state.prompts[:2]
    other = with_prompts(state, request)
    assert not same_prompts(request, other)
    assert (other.prompts, other.planes) == (("red", "green"), request.planes)
    state.prompts = ()
    with pytest.raises(PromptError, match="no prompt"):
        with_prompts(state, request)


def test_templates_are_a_name_or_sentences(state):
    assert read_templates(state) == "plain"
    state.set_control("templates", "a photo of {} ; a drawing of {}")
    assert read_templates(state) == ("a photo of {}", "a drawing of {}")


def test_the_quality_is_asked_for(state, viewer_model):
    assert read_request(state, viewer_model).quality == "standard"
    state.set_control("quality", "fine")
    assert read_request(state, viewer_model).quality == "fine"


def test_what_is_missing_is_said(state, viewer_model):
    state.set_control("resolution", "coarse")
    with pytest.raises(SettingsError, match="coarse"):
        read_request(state, viewer_model)
    state.image = None
    with pytest.raises(ImageError, match="image"):
        input_layers(state, viewer_model)


def test_the_image_comes_first_of_its_channels(state, viewer_model, cells):
    other = viewer_model.add_image(np.zeros((96, 120)), name="DNA")
    state.channels = (cells, other)
    assert input_layers(state, viewer_model) == (cells, other)
    assert not read_view(state).invert
