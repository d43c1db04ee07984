from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.errors import ImageError, SettingsError
from napari_clip_heatmap.imaging.channel import Channel, as_channels
from napari_clip_heatmap.imaging.source import ImageSource
from napari_clip_heatmap.imaging.statistics import WHOLE, percentiles, summarize
from napari_clip_heatmap.imaging.view import View

RED, GREEN = ([[0, 0, 0], [1, 0, 0]], [[0, 0, 0], [0, 1, 0]])


def shown(image, view=None):
    channels = as_channels(image)
    source = ImageSource(channels, (view or View()).appearance(channels), channels[0].shape)
    return source.read(*(slice(0, length) for length in source.shape))


def ramp(n=101):
    return np.broadcast_to(np.arange(n, dtype=np.uint16), (2, n))


def test_limits_gamma_and_colormap_are_the_viewers():
    image = Channel((ramp(),), (20, 80), gamma=0.5, lut=np.float32([[0, 0, 0], [1, 0.5, 0]]))
    share = np.clip((np.arange(101) - 20) / 60, 0, 1) ** 0.5
    expected = share[:, None] * [1, 0.5, 0]
    np.testing.assert_allclose(shown(image)[1], expected, atol=1e-6)


@given(st.integers(1, 300))
def test_a_colormap_is_linear_between_its_colors(n):
    lut = np.random.default_rng(n).random((n, 3)).astype(np.float32)
    image = Channel((ramp(),), (0, 100), lut=lut)
    at = np.linspace(0, n - 1, 101)
    expected = np.stack([np.interp(at, np.arange(n), lut[:, c]) for c in range(3)], axis=-1)
    np.testing.assert_allclose(shown(image)[0], expected, atol=1e-4)


def test_channels_are_added_and_clipped():
    values = np.array([[0, 50, 100]], np.uint8)
    channels = [Channel((values,), (0, 100), lut=np.float32(lut)) for lut in (RED, GREEN, RED)]
    np.testing.assert_allclose(shown(channels)[0], [[0, 0, 0], [1, 0.5, 0], [1, 1, 0]], atol=1e-6)


def test_inverting_comes_last():
    values = np.array([[0, 50, 100]], np.uint8)
    channels = [Channel((values,), (0, 100), lut=np.float32(lut)) for lut in (RED, GREEN)]
    seen = shown(channels, View(invert=True))[0]
    np.testing.assert_allclose(seen, [[1, 1, 1], [0.5, 0.5, 1], [0, 0, 1]], atol=1e-6)


def test_raw_is_the_range_of_the_type():
    assert shown(Channel((ramp(),), (20, 80)), View("raw"))[0, 50, 0] == np.float32(50 / 65535)
    colors = np.full((2, 2, 3), 0.25)
    np.testing.assert_array_equal(shown(colors, View("raw")), np.float32(0.25))


def test_min_max_and_percentiles_leave_limits_and_gamma_aside():
    image = Channel((ramp(),), (20, 80), gamma=3)
    np.testing.assert_allclose(shown(image, View("min-max"))[0, :, 0], np.arange(101) / 100)
    seen = shown(image, View("percentile", low=10, high=90))[0, :, 0]
    np.testing.assert_allclose(seen, np.clip((np.arange(101) - 10) / 80, 0, 1), atol=1e-6)


def test_equal_limits_show_the_bottom_of_the_colormap():
    image = Channel((ramp(),), (5, 5), lut=np.float32([[0.25, 0.5, 0.75], [1, 1, 1]]))
    np.testing.assert_array_equal(shown(image)[0], np.broadcast_to([0.25, 0.5, 0.75], (101, 3)))


class Huge:
    """16-bit values too many to be held, of which it is counted how many are read."""

    shape, dtype = (60_000, 50_000), np.dtype("uint16")
    n_read = 0

    def __getitem__(self, key):
        y, x = (np.arange(each.start, each.stop) for each in key)
        self.n_read += len(y) * len(x)
        return ((y[:, None] + x) % 40_000).astype(np.uint16)


def test_of_a_huge_image_a_bounded_number_of_values_is_looked_at():
    image = Huge()
    known = summarize(Channel((image,)))
    assert 0 < image.n_read <= WHOLE / 4
    assert known.low < 1000
    assert known.high > 39_000
    low, high = percentiles(Channel((image,)), 10, 90)
    assert low == pytest.approx(4000, rel=0.2)
    assert high == pytest.approx(36_000, rel=0.1)


def test_of_a_pyramid_the_coarsest_level_is_looked_at():
    fine, coarse = Huge(), np.arange(12, dtype=np.uint16).reshape(3, 4)
    known = summarize(Channel((fine, coarse)))
    assert (known.low, known.high, fine.n_read) == (0, 11, 0)


@pytest.mark.parametrize(
    "settings",
    [{"mode": "pretty"}, {"low": 50, "high": 50}, {"low": -1}, {"high": 101}],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(SettingsError, match="accepted"):
        View(**settings)


def test_a_channel_that_makes_no_sense_is_refused():
    with pytest.raises(ImageError, match="finite"):
        Channel((np.zeros((2, 2)),), limits=(0, np.nan))
    with pytest.raises(ImageError, match="colormap"):
        Channel((np.zeros((2, 2, 3)),), lut=np.float32(RED))
    with pytest.raises(ImageError, match="no level"):
        Channel(())
