"""The Points layer of an example: signs, their look, and positions on the image."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Points

from napari_clip_heatmap._napari.controllers.examples.example_layer import (
    clicked_places,
    make_points,
    mark_signs,
    row_of,
    set_sign,
)


@pytest.fixture
def image():
    return Image(np.zeros((40, 60)), scale=(2, 0.5), translate=(7, -3), name="cells")


def test_clicks_have_the_sign_that_is_set(image):
    layer = make_points(image, "key", "mine")
    assert row_of(layer) == "key"
    layer.add([(3, 4)])
    set_sign(layer, "-")
    layer.add([(5.25, 6)])
    set_sign(layer, "+")
    layer.add([(7, 8)])
    assert [*layer.features["sign"]] == ["+", "-", "+"]
    assert [str(each) for each in layer.symbol] == ["disc", "x", "disc"]
    assert np.array_equal(layer.face_color[0], layer.face_color[2])
    assert not np.array_equal(layer.face_color[0], layer.face_color[1])
    places = clicked_places(layer, image, (0, 0))
    assert places.positive == pytest.approx(np.array([[3, 4], [7, 8]]))
    assert places.negative == pytest.approx(np.array([[5.25, 6]]))
    assert places.elsewhere == 0


def test_selected_points_get_the_sign_in_the_mode_that_selects(image):
    layer = make_points(image, "key", "mine")
    layer.add([(3, 4), (5, 6), (7, 8)])
    layer.selected_data = {0, 1}
    set_sign(layer, "-")  # clicks are being added: the selection is only what napari leaves behind
    assert [*layer.features["sign"]] == ["+", "+", "+"]
    layer.mode = "select"
    layer.selected_data = {1}
    set_sign(layer, "-")
    assert [*layer.features["sign"]] == ["+", "-", "+"]
    assert [str(each) for each in layer.symbol] == ["disc", "x", "disc"]


def test_signs_set_in_the_features_are_drawn(image):
    layer = make_points(image, "key", "mine")
    layer.add([(3, 4), (5, 6)])
    features = layer.features.copy()
    features.loc[1, "sign"] = "-"
    layer.features = features
    mark_signs(layer)
    assert [str(each) for each in layer.symbol] == ["disc", "x"]


def test_a_layer_that_was_moved_has_places_where_it_is_drawn(image):
    layer = make_points(image, "key", "mine")
    layer.add([(3, 4)])
    layer.translate = np.array(layer.translate) + np.array([4, 1])
    assert clicked_places(layer, image, (0, 0)).positive == pytest.approx(np.array([[5, 6]]))


def test_only_places_on_the_slice_in_view_count():
    stack = Image(np.zeros((3, 40, 60)), scale=(5, 1, 1))
    layer = make_points(stack, "key", "mine")
    layer.add([(1, 3, 4), (2, 5, 6)])
    places = clicked_places(layer, stack, (5, 0, 0))
    assert places.positive == pytest.approx(np.array([[3, 4]]))
    assert places.elsewhere == 1


def test_other_layers_belong_to_no_row(image):
    assert row_of(image) == row_of(None) == row_of(Points(np.zeros((1, 2)))) == ""


def test_marks_that_look_right_are_not_drawn_again(image):
    layer = make_points(image, "key", "mine")
    layer.add([(20, 20)])
    set_sign(layer, "-")
    layer.add([(30, 60)])
    drawn = []
    layer.events.symbol.connect(lambda: drawn.append("symbol"))
    layer.events.face_color.connect(lambda: drawn.append("face"))
    mark_signs(layer)
    assert not drawn
    layer.features = layer.features.assign(sign=["-", "-"])
    mark_signs(layer)
    assert {*drawn} == {"symbol", "face"}
    assert np.allclose(*layer.face_color)
