"""Blend functions against plain arithmetic; the matrix of the viewer compares with napari."""

from __future__ import annotations

from typing import get_args

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.compositing import (
    Blend,
    BlendMode,
    ThickPlane,
    compose_layers,
    with_alpha,
)
from napari_clip_heatmap.imaging.source import ImageSource
from napari_clip_heatmap.imaging.view import View

MODES = get_args(BlendMode)
UNIT = st.floats(0, 1, width=32)
RNG = np.random.default_rng(0)


def pixel(*parts):
    return np.array(parts, np.float32).reshape(1, 1, -1)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("translucent", 0.3 * 0.5 + 0.8 * 0.5),
        ("translucent_no_depth", 0.3 * 0.5 + 0.8 * 0.5),
        ("additive", 0.3 * 0.5 + 0.8),
        ("minimum", 0.3),
        ("multiplicative", 0.3 * 0.8),
        ("opaque", 0.3),
    ],
)
def test_a_half_opaque_layer_over_an_opaque_one(mode, expected):
    layers = [pixel(0.8), pixel(0.3)]
    blends = [Blend("additive"), Blend(mode, 0.5, position=1)]
    np.testing.assert_allclose(compose_layers(layers, blends).ravel(), [expected] * 3, rtol=1e-5)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("translucent", 0.2 + 0.25), ("opaque", 0.2 + 0.25), ("additive", 0.2), ("minimum", 0.4)],
)
def test_the_lowest_layer_on_the_canvas(mode, expected):
    blend = Blend(mode, opacity=0.5, background=(0.5, 0.5, 0.5))
    np.testing.assert_allclose(compose_layers([pixel(0.4)], [blend])[0, 0], expected, rtol=1e-6)


@given(
    st.lists(
        st.tuples(st.sampled_from(MODES), UNIT, hnp.arrays(np.float32, (2, 3, 4), elements=UNIT)),
        min_size=1,
        max_size=4,
    )
)
def test_colors_stay_in_range_and_an_opaque_layer_on_top_hides_all(layers):
    blends = [Blend(mode, opacity, n) for n, (mode, opacity, _) in enumerate(layers)]
    pictures = [picture for _, _, picture in layers]
    seen = compose_layers(pictures, blends)
    assert seen.shape == (2, 3, 3)
    assert seen.min() >= 0
    assert seen.max() <= 1
    top = np.full((2, 3, 3), 0.25, np.float32)
    covered = compose_layers([*pictures, top], [*blends, Blend("translucent", position=99)])
    np.testing.assert_array_equal(covered, top)


@given(st.permutations(range(3)), UNIT)
def test_layers_are_drawn_by_position_not_in_the_order_given(order, opacity):
    pictures = [pixel(0.9, 0.1, 0.5), pixel(0.2, 0.7, 0.4), pixel(0.5)]
    blends = [Blend("translucent", opacity, n) for n in range(3)]
    expected = compose_layers(pictures, blends)
    shuffled = compose_layers([pictures[n] for n in order], [blends[n] for n in order])
    np.testing.assert_array_equal(shuffled, expected)


@pytest.mark.parametrize("wrong", [{"mode": "over"}, {"opacity": 1.5}, {"opacity": float("nan")}])
def test_a_wrong_setting_is_refused(wrong):
    with pytest.raises(SettingsError, match="accepted: "):
        Blend(**wrong)


def test_transparent_pixels_keep_their_own_color():
    colors, opacity = pixel(0.2, 0.1, 0.0), pixel(0.5)
    shown = with_alpha(lambda values: values.astype(np.float32), colors, opacity)
    np.testing.assert_allclose(shown.ravel(), [0.4, 0.2, 0, 0.5], rtol=1e-6)


@pytest.mark.parametrize("projection", ["sum", "mean", "max", "min"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("store", [np.asarray, da.from_array])
def test_a_thick_plane_is_numpys_projection(projection, dtype, store):
    stack = (RNG.random((2, 4, 6, 7)) * 100).astype(dtype)
    plane = ThickPlane(store(stack), ((0, 2), (1, 3)), projection)
    expected = getattr(stack[:, 1:3], projection)(axis=(0, 1))
    assert plane.shape == (6, 7)
    assert plane.dtype == expected.dtype
    np.testing.assert_array_equal(plane[1:4, 2:], expected[1:4, 2:])


def test_only_the_planes_and_pixels_that_are_needed_are_read():
    class Store:
        shape, dtype = (9, 50, 60), np.dtype(np.uint8)
        keys: tuple = ()

        def __getitem__(self, key):
            self.keys = (*self.keys, key)
            return np.zeros((3, 5, 7), np.uint8)

    store = Store()
    ThickPlane(store, ((2, 5),), "max")[10:15, 20:27]
    assert store.keys == ((slice(2, 5), slice(10, 15), slice(20, 27)),)


def test_other_views_than_shown_leave_blending_out():
    gray = RNG.random((8, 8)).astype(np.float32)
    channels = [Channel((gray,), (0, 1), blend=Blend("opaque", 0.5, n)) for n in range(2)]
    plain = [Channel((gray,), (0, 1)) for _ in range(2)]

    def seen(these, mode):
        source = ImageSource(these, View(mode).appearance(these), (8, 8))
        return source.read(slice(0, 8), slice(0, 8))

    for mode in ("percentile", "min-max", "raw"):
        np.testing.assert_array_equal(seen(channels, mode), seen(plain, mode))
    assert not np.array_equal(seen(channels, "shown"), seen(plain, "shown"))
