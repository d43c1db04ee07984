from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from napari.layers import Labels, Points, Shapes

from napari_clip_heatmap._napari.annotation_state import ReplaceAnswer
from napari_clip_heatmap._napari.controllers.annotation.object_layers import OBJECTS_KEY
from napari_clip_heatmap.errors import OutputError


def made(viewer, kind):
    return [layer for layer in viewer.layers if isinstance(layer, kind)]


def test_labels_of_one_prompt_lie_where_its_map_is_high(maker, viewer_model, ran, cells):
    cells.scale, cells.units = (0.5, 0.5), ("um", "um")
    maker.make("labels")
    (layer,) = made(viewer_model, Labels)
    assert layer.name == "red objects"
    np.testing.assert_array_equal(layer.scale, cells.scale)
    assert layer.units == cells.units
    assert (layer.data[:, :30] == 1).all()
    assert not layer.data[:, 50:].any()
    features = layer.features
    assert [*features.columns[:3]] == ["label", "roi_id", "prompt"]
    assert features["label"].tolist() == [0, 1]
    assert features["prompt"][1] == "red"
    assert features["area_um2"][1] == features["area"][1] / 4
    assert ran.message == "1 in 'red objects'"


def test_outlines_can_be_those_of_the_image(maker, threshold, viewer_model, controls):
    maker.make("labels")
    (layer,) = made(viewer_model, Labels)
    by_map = layer.data > 0
    controls["by_image"].value = True
    threshold.use(True)
    maker.make("labels")
    stripe = np.zeros((96, 120), bool)
    stripe[:, :40] = True
    stripe[::16, ::16] = False  # other colors
    by_image = layer.data > 0
    assert (by_image ^ stripe).sum() < 0.2 * (by_map ^ stripe).sum()


def test_every_prompt_gets_a_layer_or_all_get_one_with_a_color_each(maker, viewer_model, controls):
    controls["objects_of"].value = "every"
    maker.make("labels")
    assert [layer.name for layer in made(viewer_model, Labels)] == [
        f"{name} objects" for name in ("red", "green", "blue")
    ]
    maker.make("labels_all")
    layer = made(viewer_model, Labels)[-1]
    assert layer.name == "objects"
    assert [*layer.features["prompt"][1:]] == ["red", "green", "blue"]
    colors = layer.colormap.color_dict
    assert len({tuple(colors[n]) for n in (1, 2, 3)}) == 3
    assert {*np.unique(layer.data)} <= {0, 1, 2, 3}


def test_winners_cover_the_image(maker, viewer_model, controls):
    controls["objects_of"].value = "winner"
    maker.make("labels")
    (layer,) = made(viewer_model, Labels)
    assert (layer.data > 0).mean() > 0.99
    assert {*layer.features["prompt"][1:]} == {"red", "green", "blue"}


def test_peaks_boxes_and_outlines_lie_on_their_object(maker, viewer_model):
    maker.make("points")
    (points,) = made(viewer_model, Points)
    assert (points.data[:, 1] < 42).all()
    assert [*points.features.columns] == ["prompt", "value"]
    maker.make("outlines")
    maker.make("boxes")
    outline, box = made(viewer_model, Shapes)
    assert {*outline.shape_type} == {"polygon"}
    assert {*box.shape_type} == {"rectangle"}
    for layer in (outline, box):
        corners = np.concatenate(layer.data)
        np.testing.assert_allclose(corners.min(axis=0), [-0.5, -0.5])
        assert corners[:, 0].max() == pytest.approx(95.5, abs=1)
        assert corners[:, 1].max() == pytest.approx(39.5, abs=5)


def test_seeds_are_what_micro_sam_takes_over(maker, viewer_model):
    maker.make("point_prompts")
    maker.make("box_prompts")
    points, boxes = viewer_model.layers["point_prompts"], viewer_model.layers["prompts"]
    assert {*points.properties["label"]} == {"positive"}
    assert {*points.property_choices["label"]} == {"positive", "negative"}
    assert {*boxes.shape_type} == {"rectangle"}
    points.add([1, 1])
    maker.make("point_prompts")
    assert [layer.name for layer in made(viewer_model, Points)] == ["point_prompts"]
    assert len(points.data) > 1, "it was changed by hand, and the answer was cancel"


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
    ask.return_value = answer
    maker.make("labels")
    ask.assert_called_once_with("red objects", True)
    assert (layer.data == 7).any() == (answer is not ReplaceAnswer.REPLACE)
    assert len(made(viewer_model, Labels)) == 1 + (answer is ReplaceAnswer.NEW)
    if answer is ReplaceAnswer.CANCEL:
        assert ran.message == "Nothing was changed"


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
    ask.assert_called_once_with("red objects", False)
    assert made(viewer_model, Labels) == [layer], "the answer was cancel"
    assert ran.annotation.undoable == ""
    object_layers.undo()


def test_undo_skips_what_the_user_removed(maker, viewer_model, object_layers):
    maker.make("labels")
    maker.make("points")
    viewer_model.layers.remove(made(viewer_model, Points)[0])
    object_layers.undo()
    assert not made(viewer_model, Labels)


@pytest.mark.parametrize("what", ["labels", "points", "outlines", "boxes", "point_prompts"])
def test_no_object_gives_an_empty_layer_and_no_error(
    maker, threshold, viewer_model, controls, what, errors
):
    threshold.use(True)
    controls["threshold"].value = 1.0
    maker.make(what)
    assert not errors
    kinds = {"labels": Labels, "points": Points, "point_prompts": Points}
    (layer,) = made(viewer_model, kinds.get(what, Shapes))
    assert not np.any(layer.data)


def test_without_heatmaps_the_user_is_told_to_run(maker, ran, cells, errors, viewer_model):
    ran.forget_result(cells)
    maker.make("labels")
    maker.export("objects.csv")
    assert errors == ["there are no heatmaps of this image yet: run first"] * 2
    assert len(made(viewer_model, Labels)) == 0


def test_objects_are_written_in_the_format_of_the_name(maker, tmp_path, ran, errors):
    maker.export(str(tmp_path / "objects.geojson"))
    (feature,) = json.loads((tmp_path / "objects.geojson").read_text())["features"]
    assert feature["properties"]["classification"]["name"] == "red"
    maker.export(str(tmp_path / "objects.tif"))
    assert (tifffile.imread(tmp_path / "objects.tif") > 0).mean() == pytest.approx(1 / 3, abs=0.05)
    assert ran.message == f"1 objects written to {tmp_path / 'objects.tif'}"
    maker.export(str(tmp_path / "objects.docx"))
    assert "accepted" in errors[0]


def test_figures_are_saved_and_a_disk_that_refuses_is_reported(maker, tmp_path, ran, errors):
    maker.save_figures(str(tmp_path / "figures.csv"))
    assert (tmp_path / "figures.csv").read_text().startswith("prompt,")
    maker.save_figures(str(tmp_path / "absent" / "figures.csv"))
    assert "was not written" in errors[0]
    assert issubclass(OutputError, Exception)


def test_a_layer_says_where_it_comes_from(maker, viewer_model, cells):
    maker.make("labels")
    note = made(viewer_model, Labels)[0].metadata[OBJECTS_KEY]
    assert note["source"] == "cells"
    assert note["prompts"] == ["red"]
    assert note["threshold"] == "otsu"
    assert note["model"]["name"] == "colours"
