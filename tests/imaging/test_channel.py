from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.channel import Channel, as_channels
from napari_clip_heatmap.imaging.source import as_rgb

INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
FLOATS = ["float16", "float32", "float64", "longdouble"]


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS, *FLOATS])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
def test_any_real_type_and_shape(dtype, shape):
    image = (np.arange(np.prod(shape)).reshape(shape) % 2).astype(dtype)
    pixels = as_rgb(image)
    assert pixels.rgb.shape == (5, 7, 3)
    assert pixels.rgb.dtype == np.float32
    assert 0 <= pixels.rgb.min() <= pixels.rgb.max() <= 1
    assert pixels.valid.shape == (5, 7)
    assert pixels.valid.all()


def test_eight_bits_are_taken_as_they_are():
    image = np.array([[10, 20, 30]], np.uint8)
    np.testing.assert_allclose(as_rgb(image).rgb[0, :, 1], image[0] / 255, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", *FLOATS])
def test_other_types_are_scaled_by_their_range(dtype):
    np.testing.assert_allclose(
        as_rgb(np.array([[-0, 25, 100]], dtype)).rgb[0, :, 0], [0, 0.25, 1], rtol=1e-6
    )


def test_colors_share_one_scale_so_that_hue_is_kept():
    image = np.array([[[0, 100, 400]]], np.uint16)
    np.testing.assert_allclose(as_rgb(image).rgb[0, 0], [0, 0.25, 1])


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS, *FLOATS])
@pytest.mark.parametrize("value", [0, 1])
def test_constant_images_run(dtype, value):
    assert np.isfinite(as_rgb(np.full((2, 3), value, dtype)).rgb).all()


def test_full_range_of_every_type():
    for dtype in INTEGERS:
        limits = np.iinfo(dtype)
        np.testing.assert_allclose(
            as_rgb(np.array([[limits.min, limits.max]], dtype)).rgb[0, :, 0], [0, 1]
        )
    for dtype in FLOATS:
        largest = np.finfo(np.float64 if dtype == "longdouble" else dtype).max
        image = np.array([[-largest, 0, largest]], dtype)
        np.testing.assert_allclose(as_rgb(image).rgb[0, :, 0], [0, 0.5, 1], atol=1e-3)


def test_what_double_cannot_hold_is_masked():
    if np.finfo(np.longdouble).max <= np.finfo(np.float64).max:
        pytest.skip("long double is double on this platform")
    pixels = as_rgb(np.array([[0, 1, np.finfo(np.longdouble).max]], np.longdouble))
    np.testing.assert_array_equal(pixels.valid, [[True, True, False]])


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_invalid_pixels_are_masked_and_have_no_say_in_the_scale(hole):
    image = np.array([[0.0, 50.0, 200.0, hole]])
    pixels = as_rgb(image)
    np.testing.assert_array_equal(pixels.valid, [[True, True, True, False]])
    np.testing.assert_allclose(pixels.rgb[0, :3, 0], [0, 0.25, 1])
    np.testing.assert_allclose(pixels.rgb[0, 3], 1.25 / 3, rtol=1e-6)


def test_one_invalid_color_masks_the_pixel():
    image = np.zeros((2, 2, 3))
    image[1, 0, 2] = np.nan
    np.testing.assert_array_equal(as_rgb(image).valid, [[True, True], [False, True]])


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_masked_arrays_keep_their_mask(dtype):
    image = np.ma.masked_equal(np.array([[1, 2, 99]], dtype), 99)
    pixels = as_rgb(image)
    np.testing.assert_array_equal(pixels.valid, [[True, True, False]])
    assert np.isfinite(pixels.rgb).all()


@pytest.mark.parametrize(("dtype", "opaque"), [("uint8", 255), ("uint16", 65535), ("float32", 1)])
def test_transparency_is_laid_over_black(dtype, opaque):
    image = np.zeros((1, 3, 4), dtype)
    image[0, :, :3] = [[0] * 3, [opaque] * 3, [opaque] * 3]
    image[0, :, 3] = [opaque, opaque, 0]
    np.testing.assert_allclose(as_rgb(image).rgb[0, :, 0], [0, 1, 0])


def test_invalid_alpha_masks_the_pixel():
    image = np.ones((1, 2, 4))
    image[0, 1, 3] = np.nan
    np.testing.assert_array_equal(as_rgb(image).valid, [[True, False]])


def test_the_image_is_not_changed():
    image = np.array([[1.0, np.nan, 3.0]])
    before = image.copy()
    as_rgb(image)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((0, 5)), "no pixel"),
        (np.zeros((5, 0, 3)), "no pixel"),
        (np.zeros((4, 4, 5)), r"\(4, 4, 5\).*accepted"),
        (np.zeros((4, 4, 2)), r"\(4, 4, 2\).*accepted"),
        (np.zeros(7), r"\(7,\).*accepted"),
        (np.float64(3), r"\(\).*accepted"),
        (np.zeros((2, 4, 4, 3)), "choose one slice"),
        (np.zeros((4, 4), complex), "complex128.*accepted"),
        (np.full((4, 4), None), "object.*accepted"),
        (np.full((4, 4), "a"), "accepted"),
        (np.zeros((4, 4), "datetime64[s]"), "datetime64.*accepted"),
        (np.full((4, 4), np.nan), "all 16 are NaN"),
        (np.ma.masked_all((4, 4)), "all 16 are NaN"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(image, words):
    with pytest.raises(ImageError, match=words):
        as_rgb(image)


@given(
    npst.arrays(
        st.sampled_from(["float16", "float32", "float64", "int16", "uint64"]),
        npst.array_shapes(min_dims=2, max_dims=2, max_side=6),
    )
)
def test_whatever_the_values_colors_are_finite_and_in_range(image):
    if not np.isfinite(image).any():
        return
    pixels = as_rgb(image)
    assert pixels.rgb.min() >= 0
    assert pixels.rgb.max() <= 1 + 1e-6
    np.testing.assert_array_equal(pixels.valid, np.isfinite(image))


@pytest.mark.parametrize(
    "settings",
    [
        {"levels": np.zeros((4, 4))},
        {"levels": ()},
        {"levels": (None,)},
        {"levels": (np.zeros((4, 4)), np.zeros((2, 2, 3)))},
        {"levels": (np.zeros((4, 4)),), "limits": (0, np.nan)},
        {"levels": (np.zeros((4, 4)),), "limits": 5},
        {"levels": (np.zeros((4, 4)),), "gamma": 0},
        {"levels": (np.zeros((4, 4)),), "gamma": "1"},
        {"levels": (np.zeros((4, 4)),), "lut": [[0, 0]]},
        {"levels": (np.zeros((4, 4)),), "lut": np.zeros((0, 3))},
    ],
)
def test_channels_of_the_wrong_kind_are_refused_in_words(settings):
    with pytest.raises(ImageError, match="accepted"):
        Channel(**settings)


def test_a_list_of_arrays_is_a_pyramid():
    levels = [np.zeros((64, 48)), np.zeros((32, 24)), np.zeros((16, 12))]
    (channel,) = as_channels(levels)
    assert channel.levels == tuple(levels)
    assert repr(channel) == "Channel((64, 48) float64, 3 levels)"
    for wrong in ([levels[1], levels[0]], [levels[0], levels[0]], [levels[0], np.zeros(3)]):
        with pytest.raises(ImageError, match=r"finest first|shape"):
            as_channels(wrong)


def test_channels_and_other_things_are_not_mixed():
    channel = Channel((np.zeros((4, 4)),))
    assert as_channels([channel, channel]) == (channel, channel)
    with pytest.raises(ImageError, match="Channel records only"):
        as_channels([np.zeros((4, 4)), channel])
    with pytest.raises(ImageError, match="one shape"):
        as_channels([channel, Channel((np.zeros((5, 4)),))])
