"""Layers of a stack: what one plane gets leaves all others as they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from napari.layers import Labels, Points, Shapes

from napari_clip_heatmap._napari.annotation_state import AnnotationState
from napari_clip_heatmap._napari.controllers.annotation.layer_content import (
    annotation_content,
    fill,
    with_other_planes,
)
from napari_clip_heatmap._napari.controllers.annotation.object_layers import (
    LayerDraft,
    ObjectLayers,
)

RED, BLUE = "#ff0000", "#0000ff"
OF_RED, OF_BLUE = (1.0, 0.0, 0.0, 1.0), (0.0, 0.0, 1.0, 1.0)


def points(planes, color, names):
    data = [(plane, 3.0 + n, 4.0) for n, plane in enumerate(planes)]
    return Points(data, features={"prompt": names}, face_color=color, ndim=3)


def squares(planes, color, names):
    corners = np.array([[1, 1], [1, 5], [5, 5], [5, 1]], float)
    data = [np.insert(corners + n, 0, plane, axis=1) for n, plane in enumerate(planes)]
    return Shapes(
        data,
        shape_type="polygon",
        features={"prompt": names},
        edge_color=color,
        ndim=3,
    )


@pytest.mark.parametrize("make", [points, squares])
def test_points_and_shapes_of_other_planes_stay(make):
    old = make([0, 1, 1, 2], RED, ["a", "b", "c", "d"])
    new = make([1], BLUE, ["e"])
    kept = [np.array(old.data[n]) for n in (0, 3)]
    fill(old, with_other_planes(annotation_content(new), old, ((1,),)))
    assert len(old.data) == 3
    for before, after in zip([*kept, new.data[0]], old.data, strict=True):
        np.testing.assert_allclose(after, before)
    assert list(old.features["prompt"]) == ["a", "d", "e"]
    colors = old.face_color if make is points else old.edge_color
    np.testing.assert_allclose(colors, [OF_RED, OF_RED, OF_BLUE])


@pytest.mark.parametrize("make", [points, squares])
def test_a_plane_without_objects_loses_only_its_own(make):
    old = make([0, 1], RED, ["a", "b"])
    none = make([], BLUE, [])
    fill(old, with_other_planes(annotation_content(none), old, ((1,),)))
    assert list(old.features["prompt"]) == ["a"]
    assert len(old.data) == 1


@pytest.mark.parametrize("make", [points, squares])
def test_of_an_image_without_slices_all_is_replaced(make):
    old = make([0, 1], RED, ["a", "b"])
    new = make([2], BLUE, ["c"])
    fill(old, with_other_planes(annotation_content(new), old, ((),)))
    assert list(old.features["prompt"]) == ["c"]


def test_labels_of_other_planes_stay_and_new_ones_are_numbered_on():
    data = np.zeros((2, 4, 4), int)
    data[0, :2], data[1, 2:] = 1, 2
    old = Labels(data, features={"label": [0, 1, 2], "prompt": [None, "a", "b"]})
    fresh = np.zeros_like(data)
    fresh[1, 0] = 1
    features = pd.DataFrame({"label": [0, 1], "roi_id": "cells", "prompt": [None, "c"]})
    new = Labels(fresh, features=features)
    fill(old, with_other_planes(annotation_content(new), old, ((1,),)))
    np.testing.assert_array_equal(old.data[0], data[0])
    assert {*np.unique(old.data[1])} == {0, 2}
    named = old.features.set_index("label")["prompt"]
    assert (named[1], named[2]) == ("a", "c")


@pytest.mark.parametrize("make", [points, squares])
def test_what_was_put_back_is_as_before(make):
    layer = make([0, 1], RED, ["a", "b"])
    before = annotation_content(layer)
    fill(layer, annotation_content(make([0], BLUE, ["c"])))
    fill(layer, before)
    after = annotation_content(layer)
    assert list(after["features"]["prompt"]) == ["a", "b"]
    for name in ("face_color", "edge_color", "border_color"):
        if name in before:
            np.testing.assert_allclose(after[name], before[name])


def no_question(name, new_possible, then):
    pytest.fail(f"nothing of {name} was changed by hand")


@pytest.mark.parametrize(("kind", "make"), [(Points, points), (Shapes, squares)])
def test_making_one_slice_after_another_fills_the_stack_and_undo_takes_back_one(
    viewer_model, kind, make
):
    image = viewer_model.add_image(np.zeros((3, 8, 8)), name="stack")
    layers = ObjectLayers(viewer_model, AnnotationState(), no_question)
    for plane, name in ((0, "a"), (1, "b"), (0, "c")):
        made = make([plane], RED, [name])
        options = {"features": made.features, "ndim": 3}
        if kind is Shapes:
            options["shape_type"] = "polygon"
        draft = LayerDraft(kind, "role", "made", made.data, options, {}, planes=((plane,),))
        put = []
        layers.put(image, [draft], name, put.extend)
        (layer,) = put
    assert list(layer.features["prompt"]) == ["b", "c"]
    layers.undo()
    assert sorted(layer.features["prompt"]) == ["a", "b"]
    layers.undo()
    assert list(layer.features["prompt"]) == ["a"]
