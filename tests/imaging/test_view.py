from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.errors import ImageError, SettingsError
from napari_clip_heatmap.imaging.channel import Channel, as_channels
from napari_clip_heatmap.imaging.source import ImageSource
from napari_clip_heatmap.imaging.statistics import WHOLE, percentiles, summarize
from napari_clip_heatmap.imaging.view import MODES, View

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


@pytest.mark.parametrize("limits", [(5, 5), (9, 2), (0, np.inf), (np.nan, 1)])
def test_limits_that_are_no_range_are_refused(limits):
    with pytest.raises(SettingsError, match=r"the smaller first|finite"):
        View(limits=limits)
    with pytest.raises(ImageError, match=r"the smaller first|finite"):
        Channel((ramp(),), limits)


EXTREMES = [-1.7e308, -1e308, -1e39, -1e30, -1.0, 0.0, 5e-324, 1e-45, 1e-30, 1.0, 1e38, 1.7e308]


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "u8"])
@pytest.mark.parametrize("opaque", [True, False])
def test_any_limits_give_what_exact_fractions_give(dtype, opaque):
    info = np.iinfo(dtype) if dtype[0] in "iu" else np.finfo(dtype)
    stored = [info.min, info.max, 0, 1, info.max // 2]
    if dtype[0] == "f":
        stored += [each for each in EXTREMES if abs(each) <= float(info.max)]
    values = np.array([stored], dtype)
    image = values if opaque else np.repeat(values[..., None], 4, axis=-1)
    if not opaque:
        image[..., 3] = info.max if dtype[0] in "iu" else 1
    for low, high in itertools.combinations(EXTREMES, 2):
        seen = shown(image, View(limits=(low, high)))[0, :, 0]
        exact = [
            float((Fraction(float(value)) - Fraction(low)) / (Fraction(high) - Fraction(low)))
            if Fraction(low) <= Fraction(float(value)) <= Fraction(high)
            else float(Fraction(float(value)) > Fraction(high))
            for value in values[0]
        ]
        np.testing.assert_allclose(seen, exact, atol=2e-4)


RAMP = np.linspace(-1, 1, 4096).reshape(64, 64)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "image",
    [
        RAMP * 1.7e308,
        (RAMP * 3e38).astype(np.float32),
        np.linspace(0, 1e-44, 4096, dtype=np.float32).reshape(64, 64),
        np.linspace(0, 1e-320, 4096).reshape(64, 64),
        np.uint64(2**64 - 1) - (RAMP**2 * 2**40).astype(np.uint64),
        np.array([[-(2**63), 2**63 - 1] * 32] * 64),
        np.where(np.eye(64) > 0, np.inf, np.random.default_rng(0).random((64, 64))),
    ],
)
def test_values_of_any_size_are_seen_in_colors(image, mode):
    seen = shown(image, View(mode))
    assert np.isfinite(seen).all()
    assert seen.min() >= 0
    assert seen.max() <= 1
    if mode != "raw":
        assert seen.max() - seen.min() > 0.9


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
