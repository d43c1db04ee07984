from __future__ import annotations

import json

import numpy as np
import pytest
import shapely
from shapely.geometry import shape

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import OutputError


@pytest.fixture
def features(tmp_path, objects):
    path = nch.write_objects(tmp_path / "a.geojson", objects, source="slide.svs")
    return read(path)


def read(path):
    collection = json.loads(path.read_text("utf-8"))
    assert collection["type"] == "FeatureCollection"
    return collection["features"]


def test_each_object_is_one_valid_shape_of_its_area(features, objects):
    assert [each["properties"]["measurements"]["label"] for each in features] == [1, 2, 3, 4]
    for each, area in zip(features, objects.table["area"], strict=True):
        geometry = shape(each["geometry"])
        assert geometry.is_valid
        assert geometry.area == area


def test_pixels_are_where_they_are_in_the_image(features, labels):
    y, x = np.indices(labels.shape) + 0.5
    for each in features:
        inside = shapely.contains_xy(shape(each["geometry"]), x, y)
        np.testing.assert_array_equal(inside, labels == each["properties"]["measurements"]["label"])


def test_holes_stay_holes_and_neighbors_touch(features):
    one, two, three, four = (shape(each["geometry"]) for each in features)
    assert len(one.interiors) == 1
    assert one.touches(two)
    assert one.disjoint(three)
    assert shapely.Polygon(one.interiors[0]).contains(three)
    assert four.geom_type == "MultiPolygon"


def test_it_is_what_qupath_reads(features):
    for each in features:
        properties = each["properties"]
        assert each["type"] == "Feature"
        assert properties["objectType"] == "annotation"
        assert len(properties["classification"]["color"]) == 3
        assert all(isinstance(value, int | float) for value in properties["measurements"].values())
        assert properties["metadata"] == {
            "source": "slide.svs",
            "model": "demo",
            "score": "relative",
        }
    names = [each["properties"]["classification"]["name"] for each in features]
    assert names == ["red | rbc", "nuclei", "red | rbc", "nuclei"]
    colors = {str(each["properties"]["classification"]["color"]) for each in features}
    assert len(colors) == 2


def test_what_is_not_known_is_left_out(features):
    assert "mean" in features[0]["properties"]["measurements"]
    assert "mean" not in features[1]["properties"]["measurements"]


def test_no_objects_are_an_empty_collection(tmp_path, nothing):
    assert read(nch.write_objects(tmp_path / "a.geojson", nothing)) == []


def test_a_stack_is_refused(tmp_path, make):
    stack = make(np.ones((2, 5, 6), np.int32), ["x"])
    with pytest.raises(OutputError, match=r"one plane.*\(2, 5, 6\)"):
        nch.write_objects(tmp_path / "a.geojson", stack)
    assert not list(tmp_path.iterdir())
