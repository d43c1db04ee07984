"""Examples follow clicks: decided on a viewer model, without a window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_clip_heatmap._napari.controllers.examples import example_search


def examples(state):
    return {row.prompt: row.example for row in state.prompts if row.example is not None}


def test_a_click_makes_a_row(run, section, state, view):
    run.start()
    layer = section.begin()
    assert "cells" in view.controls["example_info"].value
    layer.add([(20, 20)])
    made = examples(state)["example 1"]
    assert (made.positive, made.negative) == (1, 0)
    assert made.direction.argmax() == 0  # red
    assert state.current == state.prompts[-1].key
    assert "1 + 0 places" in view.controls["example_info"].value


def test_each_click_and_each_removal_changes_the_example(run, section, state, view):
    run.start()
    layer = section.begin()
    layer.add([(20, 20)])
    view.controls["example_sign"].value = "-"
    layer.add([(30, 60)])
    assert (examples(state)["example 1"].negative, section.current) == (1, "example 1")
    layer.selected_data = {1}
    layer.remove_selected()
    assert examples(state)["example 1"].negative == 0
    layer.data = np.zeros((0, 2))
    assert not examples(state)
    assert "No place is left" in view.controls["example_info"].value


def test_before_a_run_places_wait(run, section, state, view):
    layer = section.begin()
    layer.add([(20, 20)])
    assert not examples(state)
    assert "Press Run" in view.controls["example_info"].value
    run.start()
    assert examples(state)["example 1"].positive == 1


def test_words_and_weight_belong_to_the_current_example(run, section, state, view):
    run.start()
    first = section.begin()
    first.add([(20, 20)])
    view.controls["example_words"].value = "blue"
    view.controls["example_weight"].value = 0.25
    made = examples(state)["example 1"]
    assert (made.words, made.weight) == ("blue", 0.25)
    second = section.begin()
    assert (view.controls["example_words"].value, view.controls["example_weight"].value) == (
        "",
        0.5,
    )
    second.add([(20, 100)])
    assert examples(state)["example 1"] is made
    assert examples(state)["example 2"].words == ""
    section._viewer.layers.selection.active = first
    assert view.controls["example_words"].value == "blue"


def test_a_row_gets_another_name(run, section, state):
    run.start()
    layer = section.begin()
    layer.add([(20, 20)])
    *others, row = state.prompts
    state.prompts = (*others, replace(row, prompt="vesicles"))
    layer.add([(40, 10)])
    assert examples(state)["vesicles"].positive == 2
    assert state.prompts[-1].asked.name == "vesicles"


def test_an_edit_that_is_undone_does_not_bring_back_earlier_clicks(run, section, state):
    run.start()
    layer = section.begin()
    layer.add([(20, 20)])
    before = state.prompts
    layer.add([(40, 10)])
    state.prompts = before
    assert examples(state)["example 1"].positive == 2


def test_names_are_free_ones(run, section, state):
    run.start()
    state.prompts = (*state.prompts[:2], replace(state.prompts[2], prompt="example 1"))
    section.begin().add([(20, 20)])
    assert {*examples(state)} == {"example 2"}


def test_a_place_can_be_added_to_the_current_example_or_a_new_one(run, section, state):
    run.start()
    section.add_place(((), 20.5, 20.5))
    section.add_place(((), 30.5, 60.5), "-", new=False)
    assert (examples(state)["example 1"].positive, examples(state)["example 1"].negative) == (1, 1)
    section.add_place(((), 20.5, 100.5))
    assert examples(state)["example 2"].positive == 1
    layer = section._layer_of(section._current)
    assert layer.data.tolist() == [[20, 100]]


@pytest.mark.parametrize("kind", ["labels", "shapes"])
def test_a_layer_is_taken_as_places(run, section, state, viewer_model, kind):
    run.start()
    if kind == "labels":
        mask = np.zeros((96, 120), int)
        mask[:, 80:] = 2
        layer = viewer_model.add_labels(mask, name="mine")
    else:
        layer = viewer_model.add_shapes([[0, 80], [95, 119]], name="mine")
    viewer_model.layers.selection.active = layer
    section.take_layer()
    assert examples(state)["mine"].direction.argmax() == 2
    assert examples(state)["mine"].positive >= 40
    assert section.current == ""  # clicks cannot be added to a mask


def test_what_cannot_be_taken_is_said(run, section, state, view, viewer_model):
    run.start()
    section.take_layer()
    assert "accepted: a Labels or a Shapes layer" in view.controls["example_info"].value
    viewer_model.layers.selection.active = viewer_model.add_labels(np.zeros((96, 120), int))
    section.take_layer()
    assert "marks nothing" in view.controls["example_info"].value
    layer = section.begin()
    layer.add([(500, 20)])
    assert "outside the image" in view.controls["example_info"].value
    assert not examples(state)
    state.image = None
    assert section.begin() is None


def test_another_model_makes_it_again(run, section, state, model):
    run.start()
    layer = section.begin()
    layer.add([(20, 20)])
    model.describe = lambda: {"name": "other", "weights_sha256": "1" * 64, "device": "cpu"}
    state.prompts = state.prompts[:3]  # an example of another model is refused by a run
    state.image.data = state.image.data.copy() // 2
    run.start()
    assert examples(state)["example 1"].weights_sha256 == "1" * 64


def test_it_is_found_in_a_folder_of_encodings(
    run, section, state, view, immediate, monkeypatch, tmp_path
):
    monkeypatch.setattr(example_search, "Job", immediate)
    searching = example_search.ExampleSearch(section._say)
    section._search = searching
    section.find_in(str(tmp_path))
    assert "no example yet" in view.controls["example_info"].value
    run.start()
    section.begin().add([(20, 20)])
    encoding = next(iter(state.result.result.encodings.values()))
    encoding.save(tmp_path / "one_encoding.zarr.zip")
    monkeypatch.setattr(
        "napari_clip_heatmap.pipeline.storage.records.DeferredText", lambda *_: encoding.text
    )
    section.find_in(str(tmp_path))
    assert "one_encoding.zarr.zip, most at" in view.controls["example_info"].value
    section.find_in(str(tmp_path / "nowhere"))
    assert "holds no encoding" in view.controls["example_info"].value
