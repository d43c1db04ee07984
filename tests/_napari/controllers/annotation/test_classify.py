from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest

from napari_clip_heatmap._napari.controllers.annotation.classify import (
    ObjectClassifier,
    class_features,
    passing,
)
from napari_clip_heatmap._napari.state import FAINTNESS
from napari_clip_heatmap.files.object_formats import object_suffixes
from napari_clip_heatmap.pipeline.trust import Trust

STRIPES = ("red", "green", "blue")


@pytest.fixture
def cells_labels(viewer_model):
    """An object in each stripe, with gaps in the numbers."""
    labels = np.zeros((96, 120), np.uint16)
    for number, left in ((2, 5), (5, 45), (9, 85)):
        labels[20:60, left : left + 30] = number
    return viewer_model.add_labels(labels, name="segmentation")


@pytest.fixture
def classifier(ran, viewer_model, controls, object_layers, errors, cells_labels):
    controls["classified_layer"].value = cells_labels
    controller = ObjectClassifier(ran, viewer_model, controls, object_layers, MagicMock())
    yield controller
    controller.close()


def table(controls):
    return controls["class_table"].view


def test_each_object_gets_its_best_prompt_as_a_feature(classifier, ran, cells_labels):
    classifier.classify()
    features = cells_labels.features
    assert [*features.columns[:2]] == ["label", "roi_id"]
    assert features["label"].tolist() == [*range(10)], "row k is label k, as napari counts"
    named = features.dropna(subset="prompt")
    assert named["label"].tolist() == [2, 5, 9]
    assert named["prompt"].tolist() == [*STRIPES]
    assert {*named["roi_id"]} == {"cells"}
    assert (named["margin"] > 0).all()
    assert {"score", "trust", "score red", "contribution blue"} <= {*features.columns}
    assert ran.message.startswith("3 objects named: 1 red, 1 green, 1 blue")


def test_objects_are_colored_by_class_and_a_gate_makes_them_faint(classifier, cells_labels):
    classifier.classify()
    before = {n: tuple(cells_labels.colormap.color_dict[n]) for n in (2, 5, 9)}
    assert len({color[:3] for color in before.values()}) == 3
    classifier.set_gate("red", 2.0)
    after = cells_labels.colormap.color_dict
    assert after[2][3] < before[2][3]
    assert tuple(after[5]) == before[5]
    assert cells_labels.features["passes"][2] == False  # noqa: E712 - a missing value is neither
    assert cells_labels.features["passes"][5] == True  # noqa: E712


def test_trust_is_shown_in_the_table_the_features_and_the_colors(
    classifier, ran, controls, cells_labels
):
    classifier.classify()
    found = ran.annotation.classified
    trust = (Trust.GOOD, Trust.DOUBTFUL, Trust.NONE)
    ran.annotation.classified = replace(found, scores=replace(found.scores, trust=trust))
    features = cells_labels.features
    assert [features["trust"][n] for n in (2, 5, 9)] == ["good", "doubtful", "none"]
    columns = table(controls).show_objects.call_args.args[0]
    assert columns[-1].tolist() == ["good", "doubtful", "none"]
    opacities = [float(cells_labels.colormap.color_dict[n][3]) for n in (2, 5, 9)]
    assert opacities == pytest.approx([1, FAINTNESS[Trust.DOUBTFUL], FAINTNESS[Trust.NONE]])


def test_a_row_selects_its_object_and_an_object_its_row(
    classifier, controls, cells_labels, viewer_model
):
    classifier.classify()
    viewer_model.layers.selection.active = viewer_model.layers["cells"]
    classifier.select(5)
    assert cells_labels.selected_label == 5
    assert viewer_model.layers.selection.active is cells_labels
    table(controls).select.assert_called_with(5)
    cells_labels.selected_label = 9
    table(controls).select.assert_called_with(9)


def test_a_click_selects_and_a_drag_or_a_tool_does_not(classifier, cells_labels):
    classifier.classify()
    (callback,) = cells_labels.mouse_drag_callbacks

    def play(*kinds, at=(30, 50)):
        event = SimpleNamespace(
            type="mouse_press", position=at, view_direction=None, dims_displayed=[0, 1]
        )
        steps = callback(cells_labels, event)
        next(steps)
        for kind in kinds:
            event.type = kind
            next(steps, None)

    play("mouse_move")
    assert cells_labels.selected_label == 1
    play("mouse_release")
    assert cells_labels.selected_label == 5
    play("mouse_release", at=(1, 1))
    assert cells_labels.selected_label == 5, "the background is no object"
    cells_labels.mode = "paint"
    play("mouse_release", at=(30, 90))
    assert cells_labels.selected_label == 5


def test_a_double_click_moves_the_view(classifier, viewer_model):
    classifier.classify()
    classifier.center(9)
    camera = getattr(viewer_model, "scene", viewer_model).camera
    np.testing.assert_allclose(camera.center[-2:], [39.5, 99.5])


def test_what_passes_becomes_a_layer(classifier, viewer_model):
    classifier.classify()
    classifier.set_gate("green", 2.0)
    classifier.make_gated()
    layer = viewer_model.layers["segmentation passing"]
    assert {*np.unique(layer.data)} == {0, 2, 9}
    assert layer.data.dtype == np.uint16


def test_the_table_goes_with_its_layer(classifier, ran, viewer_model, cells_labels, controls):
    classifier.use(True)
    classifier.classify()
    viewer_model.layers.remove(cells_labels)
    assert ran.annotation.classified is None
    assert table(controls).show_objects.call_args.args[0] == ()
    classifier.select(5)
    classifier.use(False)


@pytest.mark.parametrize("suffix", object_suffixes())
def test_named_objects_are_written(classifier, tmp_path, suffix, errors):
    classifier.classify()
    classifier.export(str(tmp_path / f"named{suffix}"))
    if suffix == ".parquet" and errors:
        assert "pyarrow" in errors[0]
        return
    assert not errors
    assert (tmp_path / f"named{suffix}").exists()


def bad(data):
    return lambda viewer: viewer.add_labels(data, name="bad")


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (bad(np.zeros((96, 120), np.int32)), "no object"),
        (bad(np.ones((50, 120), np.int32)), "shape"),
        (bad(np.full((96, 120), -3, np.int32)), "negative"),
        (lambda viewer: viewer.layers["cells"], "no Labels layer"),
        (lambda viewer: viewer.add_image(np.ones((96, 120), np.float32)), "no Labels layer"),
    ],
)
def test_labels_that_cannot_be_named_are_refused_in_words(
    classifier, controls, viewer_model, errors, make, word, ran
):
    layer = make(viewer_model)
    before = layer.data.copy()
    controls["classified_layer"].value = layer
    classifier.classify()
    assert word in errors[0]
    assert ran.message == f"Not done: {errors[0]}"
    assert ran.annotation.classified is None
    np.testing.assert_array_equal(layer.data, before)


def test_numbers_with_fractions_are_an_image_until_they_are_converted(
    classifier, controls, viewer_model, errors, ran
):
    numbers = np.zeros((96, 120), np.float32)
    numbers[20:60, 5:35] = 3
    with pytest.raises(TypeError):
        viewer_model.add_labels(numbers)
    layer = viewer_model.add_image(numbers)
    controls["classified_layer"].value = layer
    classifier.classify()
    assert "Convert to Labels" in errors[0]
    controls["classified_layer"].value = viewer_model.add_labels(layer.data.astype(int))
    classifier.classify()
    assert len(errors) == 1
    assert ran.annotation.classified.scores.label.tolist() == [3]


def test_without_an_encoding_the_user_is_told_to_run(classifier, ran, cells, errors):
    ran.forget_result(cells)
    classifier.classify()
    assert errors == ["there is no encoding of this image yet: run first"]
    classifier.make_gated()
    classifier.export("x.csv")
    assert all(message.startswith("no objects are named yet") for message in errors[1:])


def test_a_gate_holds_for_its_own_prompt_only(classifier, ran):
    classifier.classify()
    scores = ran.annotation.classified.scores
    assert passing(scores, {}).all()
    assert passing(scores, {"red": 2.0}).tolist() == [False, True, True]
    assert class_features(scores, {"blue": 2.0})["passes"].tolist() == [True, True, False]
