from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_clip_heatmap.annotation import polygons
from napari_clip_heatmap.annotation.polygons import label_polygons

label_images = hnp.arrays(
    np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 3)
)


def shape_of(polygon):
    """As shapely has it, x first."""
    return shapely.Polygon(polygon.shell[:, ::-1], [hole[:, ::-1] for hole in polygon.holes])


def painted(found, shape):
    """Labels of the pixels whose centers lie inside."""
    y, x = np.indices(shape) + 0.5
    image = np.zeros(shape, np.int32)
    for polygon in found:
        inside = shapely.contains_xy(shape_of(polygon), x, y)
        assert not image[inside].any(), "polygons do not overlap"
        image[inside] = polygon.label
    return image


@given(labels=label_images)
def test_polygons_are_valid_and_cover_their_pixels_exactly(labels):
    found = list(label_polygons(labels))
    np.testing.assert_array_equal(painted(found, labels.shape), labels)
    for polygon in found:
        shape = shape_of(polygon)
        assert shape.is_valid, shapely.is_valid_reason(shape)
        assert shape.exterior.is_ccw
        assert not any(hole.is_ccw for hole in shape.interiors)
    assert sum(shape_of(polygon).area for polygon in found) == np.count_nonzero(labels)


@given(labels=label_images)
def test_bands_do_not_show(labels):
    whole = [polygon.shell.tolist() for polygon in label_polygons(labels)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(polygons, "_BAND", 1)
        assert [polygon.shell.tolist() for polygon in label_polygons(labels)] == whole


def test_a_ring_has_a_hole_and_what_lies_in_it_is_its_own():
    labels = np.zeros((7, 7), int)
    labels[1:6, 1:6] = 4
    labels[2:5, 2:5] = 0
    labels[3, 3] = 2
    found = {polygon.label: polygon for polygon in label_polygons(labels)}
    assert [len(found[label].holes) for label in (2, 4)] == [0, 1]
    assert shape_of(found[4]).area == 16
    assert found[2].shell.tolist() == [[3, 3], [3, 4], [4, 4], [4, 3]]


def test_neighbors_share_their_edge():
    labels = np.array([[1, 1, 2], [1, 2, 2]])
    one, two = (shape_of(polygon) for polygon in label_polygons(labels))
    assert one.touches(two)
    assert one.union(two).equals(shapely.box(0, 0, 3, 2))


def test_pixels_that_share_a_corner_only_are_two_parts():
    found = list(label_polygons(np.array([[5, 0], [0, 5]])))
    assert [polygon.label for polygon in found] == [5, 5]


def test_no_label_no_polygon():
    assert list(label_polygons(np.zeros((3, 4), np.uint8))) == []
