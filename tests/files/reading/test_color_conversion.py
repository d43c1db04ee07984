from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from napari_clip_heatmap.files.reading.color_conversion import (
    cmyk_to_rgb,
    full_scale,
    inverted,
    lab_to_rgb,
    unmultiplied,
    ycbcr_to_rgb,
)

rng = np.random.default_rng(0)
SAMPLES = rng.integers(0, 256, (31, 43, 4), dtype=np.uint8)


def test_inks_without_a_profile_are_as_pillow_converts_them() -> None:
    image = Image.frombytes("CMYK", (43, 31), SAMPLES.tobytes())
    expected = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(cmyk_to_rgb(SAMPLES) - expected).max() <= 1
    deep = cmyk_to_rgb(SAMPLES.astype(np.uint16) * 257)
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - expected).max() <= 1


def test_luma_and_chroma_are_as_pillow_converts_them() -> None:
    samples = SAMPLES[..., :3]
    image = Image.frombytes("YCbCr", (43, 31), samples.tobytes())
    expected = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(ycbcr_to_rgb(samples) - expected).max() <= 1


def test_reference_codes_of_black_and_white() -> None:
    gray = np.array([[[16, 128, 128], [235, 128, 128]]], np.uint8)
    rgb = ycbcr_to_rgb(gray, reference=(16, 235, 128, 240, 128, 240))
    np.testing.assert_array_equal(rgb, [[[0, 0, 0], [255, 255, 255]]])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("offset", [False, True])
def test_gray_of_lab_is_gray(dtype: type, offset: bool) -> None:
    bits = 8 * np.dtype(dtype).itemsize
    white = (255 << (bits - 8)) if offset else (1 << bits) - 1  # ICC.1: 0xFF00 is 100 in 16 bits
    middle = 1 << (bits - 1) if offset else 0
    rgb = lab_to_rgb(np.array([[[white, middle, middle]]], dtype), offset=offset)
    assert rgb.dtype == dtype
    assert rgb.min() >= full_scale(rgb.dtype) * 0.994  # OpenCV 4 rounds white a little more


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_colors_are_divided_by_their_opacity(dtype: type) -> None:
    full = full_scale(np.dtype(dtype))
    colors = (rng.random((9, 8, 3)) * full).astype(dtype)
    opacity = (rng.uniform(0.5, 1, (9, 8, 1)) * full).astype(dtype)
    multiplied = (colors.astype(float) * opacity / full).astype(dtype)
    assert np.abs(unmultiplied(multiplied, opacity) - colors.astype(float)).max() <= 2.5
    nothing = unmultiplied(multiplied, np.zeros_like(opacity))
    assert nothing.dtype == dtype
    assert not nothing.any()


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16, np.int16, np.float32])
def test_inverting_twice_changes_nothing(dtype: type) -> None:
    gray = rng.integers(0, 200, (9, 8)).astype(dtype)
    bits = 8 * gray.dtype.itemsize
    once = inverted(gray, bits)
    assert once.dtype == gray.dtype
    np.testing.assert_allclose(inverted(once, bits), gray, atol=1e-4)
    order = np.argsort(gray, axis=None)
    assert (np.diff(once.ravel()[order].astype(float)) <= 0).all()


def test_missing_floats_do_not_spoil_the_inverted() -> None:
    gray = np.array([0.25, np.nan, 1], np.float32)
    np.testing.assert_allclose(inverted(gray, 32), [1, np.nan, 0.25])
