"""The robust range: what must not decide it, and what must."""

from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.statistics import count_lines, robust_range, summarize
from napari_clip_heatmap.scenes.scene import draw


def scene(dtype=np.uint16, side=256):
    """A 16-bit fluorescence image: offset 100, signal up to about 3000."""
    gray = draw(3, (side, side), classes=("nuclei",), modality="fluorescence").image.mean(-1)
    return (100 + gray / gray.max() * 3000).astype(dtype)


def of(image):
    return robust_range(Channel((image,)))


def lines_of(image):
    return count_lines(Channel((image,)), *of(image))


def span(image):
    low, high = of(image)
    return high - low


@pytest.mark.parametrize("side", [96, 256, 700])
@pytest.mark.parametrize("value", [0, 65535])
def test_defects_one_pixel_wide_do_not_count(side, value):
    clean = scene(side=side)
    low, high = of(clean)
    assert high - low > 0.8 * (summarize(Channel((clean,))).high - clean.min())
    for defect in (np.s_[40, 50], np.s_[:, side // 3], np.s_[side // 3], np.s_[0, 0]):
        image = clean.copy()
        image[defect] = value
        got = of(image)
        np.testing.assert_allclose(got, (low, high), atol=0.06 * (high - low))


@pytest.mark.parametrize("fraction", [0.001, 0.2, 0.7])
@pytest.mark.parametrize("value", [-9999, -32768, -3.4e38, 9.97e36])
def test_a_no_data_value_does_not_count(fraction, value):
    clean = scene(np.float32)
    image = clean.copy()
    image[: max(3, round(fraction * len(image))), :30] = value
    low, high = of(image)
    assert low >= clean.min()
    assert high <= clean.max()
    assert high - low > 0.7 * span(clean)


@pytest.mark.parametrize(
    "image",
    [
        np.where(np.eye(60) > 0, 5000, 100).astype(np.uint16),  # a thin line of one brightness
        np.where(np.arange(3600).reshape(60, 60) < 700, 0, 1).astype(np.uint16),
        np.pad(np.full((4, 4), 900, np.uint16), 100, constant_values=100),  # one small object
        np.where(np.random.default_rng(0).random((80, 80)) < 0.02, 3000.0, 10.0),
        np.where(np.arange(6400).reshape(80, 80) < 300, -1.0, 1.0),  # few values are classes
    ],
)
def test_what_is_there_counts(image):
    assert of(image) == (image.min(), image.max())


def test_few_values_count_as_they_are():
    assert of(np.array([[0, 50, 70000]], np.uint32)) == (0, 70000)


def test_huge_and_tiny_values_have_a_range():
    noise = np.random.default_rng(0).random((50, 50))
    for factor in (1e300, 1e-300, -1e300):
        low, high = of((noise - 0.5) * factor)
        assert np.isfinite([low, high]).all()
        assert high > low


def test_invalid_pixels_do_not_count():
    image = scene(np.float32)
    low, high = of(image)
    image[10:60, 10:60] = np.nan
    got = of(image)
    assert got[0] >= low - 1
    assert got[1] <= high + 1
    with pytest.raises(ImageError, match="no valid pixel"):
        of(np.full((30, 30), np.nan))


def test_all_colors_share_one_range():
    image = np.zeros((40, 40, 3), np.uint16)
    image[..., 0], image[..., 1] = 50, np.arange(40) * 100
    assert of(image) == (0, 3900)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("colors", [(), (3,)])
def test_integers_are_filtered_as_stored_with_the_range_of_floats(dtype, colors):
    """Of 8- and 16-bit integers OpenCV filters the values themselves, of others 65,536 steps."""
    image = (scene(np.float64) * 10).astype(dtype)
    image = np.stack([image] * 3, axis=-1) if colors else image
    low, high = of(image)
    known = of(image.astype(np.float64))
    assert abs(low - known[0]) <= 2e-5 * (high - low)
    assert abs(high - known[1]) <= 2e-5 * (high - low)
    image[50, 60] = np.iinfo(dtype).max if np.dtype(dtype).kind in "ui" else 1e9
    spoiled = of(image)
    assert abs(spoiled[1] - high) <= 0.01 * (high - low)


@pytest.mark.parametrize("value", [0, 60_000])
@pytest.mark.parametrize("turned", [False, True])
def test_lines_of_a_detector_are_counted(value, turned):
    image = scene(np.uint16) + np.uint16(20_000)
    assert lines_of(image) == 0
    image[:, 40] = value
    image[3:, 61] = value
    image = image.T if turned else image
    assert lines_of(image) == 2
    assert lines_of(np.stack([image] * 3, axis=-1)) == 2


def test_stripes_and_broken_lines_are_what_is_shown():
    image = scene(np.uint16)
    image[: len(image) // 3, 40] = 60_000
    assert lines_of(image) == 0
    image[:, ::4] = 60_000
    assert lines_of(image) == 0
    assert lines_of(np.zeros((50, 50), np.uint16)) == 0


def test_a_masked_line_is_no_defective_one():
    image = np.ma.array(scene(), mask=False)
    image[:, 30] = 65535
    assert lines_of(image) == 1
    image[:, 30] = np.ma.masked
    assert lines_of(image) == 0
