from __future__ import annotations

import numpy as np

from napari_clip_heatmap.files.reading.imagej_lut import LookupTable, lookup_table

RAMP = np.repeat(np.arange(256, dtype=np.uint8)[:, np.newaxis], 3, axis=1)
GREEN = RAMP * np.array([0, 1, 0], np.uint8)
VALUES = np.arange(0, 4096, 16, dtype=np.uint16).reshape(16, 16)


def test_a_color_that_tells_channels_apart_is_no_color_of_the_picture() -> None:
    assert LookupTable(GREEN, only=False).apply(VALUES) is VALUES
    np.testing.assert_array_equal(LookupTable(RAMP[::-1], only=False).apply(VALUES), 65535 - VALUES)


def test_colors_over_the_range_of_the_values() -> None:
    shown = LookupTable(GREEN).apply(VALUES)
    assert shown.dtype == np.uint16
    assert not shown[..., [0, 2]].any()
    unit = (VALUES - VALUES.min()) / np.ptp(VALUES)
    np.testing.assert_allclose(shown[..., 1] / 65535, unit, atol=1e-4)


def test_missing_and_constant_values_have_colors() -> None:
    values = np.array([[np.nan, 2.0], [2.0, np.inf]], np.float32)
    shown = LookupTable(GREEN).apply(values)
    assert shown.shape == (2, 2, 3)
    assert LookupTable(GREEN).apply(np.full((2, 2), np.nan, np.float32)).shape == (2, 2, 3)


def test_a_curved_gray_table_gives_gray() -> None:
    squared = (RAMP.astype(int) ** 2 // 255).astype(np.uint8)
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(LookupTable(squared).apply(values), squared[values, 0])


def test_tables_of_the_metadata() -> None:
    tables = [GREEN.T, RAMP.T]
    metadata = {"LUTs": tables, "Ranges": (0.0, 10.0, 5.0, 500.0)}
    second = lookup_table(metadata, 1)
    assert second is not None
    assert second.limits == (5.0, 500.0)
    np.testing.assert_array_equal(second.colors, RAMP)
    assert not second.only
    assert lookup_table({"LUTs": GREEN.T}, None).only
    assert lookup_table(metadata, 2) is None
    assert lookup_table(None, None) is None
    assert lookup_table({"LUTs": [np.zeros((3, 7), np.uint8)]}, None) is None
    assert lookup_table({"LUTs": tables, "Ranges": (3.0, 3.0)}, 0).limits is None
