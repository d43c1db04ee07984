from __future__ import annotations

from unittest.mock import ANY

import numpy as np
import pytest
from napari.layers import Labels, Points

from napari_clip_heatmap._napari.annotation_state import ReplaceAnswer
from napari_clip_heatmap._napari.controllers.annotation.object_layers import OBJECTS_KEY


def made(viewer, kind):
    return [layer for layer in viewer.layers if isinstance(layer, kind)]


def test_running_again_updates_its_own_layer(maker, viewer_model, controls, ask):
    maker.make("labels")
    (layer,) = made(viewer_model, Labels)
    before = layer.data.copy()
    controls["min_size"].value = 100_000
    maker.make("labels")
    assert made(viewer_model, Labels) == [layer]
    assert not layer.data.any()
    ask.assert_not_called()
    maker.make("labels")
    controls["make_objects"].view.undo_requested.connect.call_args.args[0]()
    controls["make_objects"].view.undo_requested.connect.call_args.args[0]()
    np.testing.assert_array_equal(layer.data, before)


@pytest.mark.parametrize("answer", [*ReplaceAnswer])
def test_a_layer_that_was_painted_in_is_asked_about(maker, viewer_model, ask, answer, ran):
    maker.make("labels")
    (layer,) = made(viewer_model, Labels)
    layer.paint((50, 100), 7)
    ask.answer = answer
    maker.make("labels")
    ask.assert_called_once_with("red objects", True, ANY)
    assert (layer.data == 7).any() == (answer is not ReplaceAnswer.REPLACE)
    assert len(made(viewer_model, Labels)) == 1 + (answer is ReplaceAnswer.NEW)
    if answer is ReplaceAnswer.CANCEL:
        assert ran.message == "Nothing was changed"


@pytest.mark.parametrize("gone", [0, 1], ids=["the image", "the layer"])
def test_what_goes_before_the_answer_is_not_drawn_on(maker, viewer_model, ask, ran, gone):
    maker.make("labels")
    (layer,) = made(viewer_model, Labels)
    layer.paint((50, 100), 7)
    ask.side_effect = None  # the answer comes later
    maker.make("labels")
    viewer_model.layers.remove([ran.image, layer][gone])
    ask.call_args.args[2](ReplaceAnswer.REPLACE)
    assert len(made(viewer_model, Labels)) == 1
    assert (layer.data == 7).any()
    assert (ran.message == "Nothing was changed") == (gone == 0)


def test_a_duplicate_of_a_layer_is_the_users(maker, viewer_model):
    maker.make("labels")
    (layer,) = made(viewer_model, Labels)
    copy = Labels(layer.data.copy(), metadata=dict(layer.metadata), name="mine")
    viewer_model.layers.remove(layer)
    viewer_model.add_layer(copy)
    maker.make("labels")
    assert len(made(viewer_model, Labels)) == 2


def test_undo_removes_what_was_made_and_asks_where_it_was_changed(
    maker, viewer_model, object_layers, ask, ran
):
    maker.make("labels")
    maker.make("points")
    assert ran.annotation.undoable == "points"
    object_layers.undo()
    assert not made(viewer_model, Points)
    assert ran.annotation.undoable == "labels"
    (layer,) = made(viewer_model, Labels)
    layer.paint((50, 100), 7)
    object_layers.undo()
    ask.assert_called_once_with("red objects", False, ANY)
    assert made(viewer_model, Labels) == [layer], "the answer was cancel"
    assert ran.annotation.undoable == ""
    object_layers.undo()


def test_undo_skips_what_the_user_removed(maker, viewer_model, object_layers):
    maker.make("labels")
    maker.make("points")
    viewer_model.layers.remove(made(viewer_model, Points)[0])
    object_layers.undo()
    assert not made(viewer_model, Labels)


def test_a_layer_says_where_it_comes_from(maker, viewer_model, cells):
    maker.make("labels")
    note = made(viewer_model, Labels)[0].metadata[OBJECTS_KEY]
    assert note["source"] == "cells"
    assert note["prompts"] == ["red"]
    assert note["threshold"] == "otsu"
    assert note["model"]["name"] == "colours"
