from __future__ import annotations

import math

import numpy as np
import pytest

from napari_clip_heatmap.annotation.geometry import geometry_columns, read_pixel_size
from napari_clip_heatmap.errors import SettingsError


def test_without_a_pixel_size_all_is_in_pixels():
    columns = geometry_columns(
        np.array([4]), np.array([[1.5, 2.5]]), np.array([[1, 2, 3, 4]]), None
    )
    assert {name: column.tolist() for name, column in columns.items()} == {
        "area": [4],
        "centroid_y": [1.5],
        "centroid_x": [2.5],
        "bbox_y0": [1],
        "bbox_x0": [2],
        "bbox_y1": [3],
        "bbox_x1": [4],
    }


@pytest.mark.parametrize("unit", ["micrometer", "µm", "um"])
def test_with_one_both_are_given(unit):
    size = read_pixel_size((0.5, 0.25), unit)
    columns = geometry_columns(
        np.array([8]), np.array([[2.0, 4.0]]), np.array([[0, 0, 9, 9]]), size
    )
    assert columns["area"].tolist() == [8]
    assert columns["area_um2"].tolist() == [1.0]
    assert columns["centroid_y_um"].tolist() == [1.0]
    assert columns["centroid_x_um"].tolist() == [1.0]


def test_a_single_number_is_for_both_axes():
    size = read_pixel_size(0.5, "millimeter")
    assert (size.y, size.x, size.unit) == (0.5, 0.5, "millimeter")


def test_nothing_known_is_none():
    assert read_pixel_size(None, None) is None


@pytest.mark.parametrize(
    ("pixel_size", "unit"),
    [
        (0.5, None),
        (None, "um"),
        ((1, 2, 3), "um"),
        (0, "um"),
        ((1, -1), "um"),
        (math.nan, "um"),
        ("a", "um"),
        (1, " "),
        (1, 3),
    ],
)
def test_half_a_size_is_refused(pixel_size, unit):
    with pytest.raises(SettingsError, match=r"pixel_size is .* accepted"):
        read_pixel_size(pixel_size, unit)
