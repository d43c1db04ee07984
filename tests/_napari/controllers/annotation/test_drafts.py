from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Labels, Points, Shapes


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
    assert str(points.border_color_mode) == "cycle", "colors say positive or negative"
    points.add([1, 1])
    maker.make("point_prompts")
    assert [layer.name for layer in made(viewer_model, Points)] == ["point_prompts"]
    assert len(points.data) > 1, "it was changed by hand, and the answer was cancel"


def test_the_empty_layers_of_micro_sam_are_filled_without_a_question(maker, viewer_model, ask):
    # As its `_AnnotatorBase._create_layers` makes them.
    points = viewer_model.add_points(
        name="point_prompts",
        property_choices={"label": ["positive", "negative"]},
        border_color="label",
        border_color_cycle=["#00FF00", "#FF0000"],
        symbol="o",
        face_color="transparent",
        border_width=0.5,
        size=12,
        ndim=2,
    )
    points.border_color_mode = "cycle"
    boxes = viewer_model.add_shapes(
        face_color="transparent", edge_color="green", edge_width=4, name="prompts", ndim=2
    )
    maker.make("point_prompts")
    maker.make("box_prompts")
    ask.assert_not_called()
    assert [layer.name for layer in viewer_model.layers].count("point_prompts") == 1
    assert len(points.data) == len(points.properties["label"]) > 0
    assert {*points.properties["label"]} == {"positive"}
    assert {*boxes.shape_type} == {"rectangle"}


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
