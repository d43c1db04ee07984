from __future__ import annotations

import numpy as np
import pytest
from napari.utils.colormaps import ensure_colormap

from napari_clip_heatmap._napari.colormaps import COLORMAPS, SIGNED, LayerStyle

RANGES = ((-1.0, 4.0), (0.5, 1.0), (-3.0, -2.0))
KEYS = ("a", "b", "c")


def test_as_it_comes_each_map_is_jet_on_its_own_range():
    assert LayerStyle().colormap("a") == "jet"
    assert LayerStyle().limits(RANGES, KEYS) == list(RANGES)


def test_on_a_shared_scale_all_maps_run_over_the_range_of_all():
    assert LayerStyle(scale="shared").limits(RANGES, KEYS) == [(-3.0, 4.0)] * 3


@pytest.mark.parametrize(("scale", "expected"), [("own", (-4.0, 4.0)), ("shared", (-4.0, 4.0))])
def test_signed_colours_run_as_far_to_both_sides(scale, expected):
    look = LayerStyle(own={"a": SIGNED}, scale=scale)
    limits = look.limits(RANGES, KEYS)
    assert limits[0] == expected
    middle = look.colormap("a").map(np.array([0.5], np.float32))[0, :3]
    assert np.ptp(middle) < 0.02  # neither blue nor red
    assert limits[1] == (RANGES[1] if scale == "own" else (-4.0, 4.0))  # one for all is one


@pytest.mark.parametrize("name", COLORMAPS)
def test_a_fading_map_is_clear_where_there_is_least(name):
    places = np.linspace(0, 1, 11, dtype=np.float32)
    plain = ensure_colormap(LayerStyle(default=name).colormap("")).map(places)
    fading = LayerStyle(default=name, transparent_low=True).colormap("").map(places)
    np.testing.assert_allclose(fading[:, :3], plain[:, :3], atol=0.02)
    evidence = np.abs(places - 0.5) if name == SIGNED else places
    assert fading[np.argmin(evidence), 3] == pytest.approx(0, abs=0.02)
    assert (np.diff(fading[np.argsort(evidence, kind="stable"), 3]) >= -0.02).all()
    assert fading[np.argmax(evidence), 3] == 1


def test_a_ground_that_is_hardly_above_zero_is_clear():
    style = LayerStyle(scale="shared", clear_below_zero=True)
    low, high = style.limits([(-0.002, 0.004), (-0.001, 0.0001)], ["a", "b"])[1]
    values = np.array([-0.001, 0.0, 0.0001, 0.0002, 0.0016, 0.004])
    seen = ensure_colormap(style.colormap("b")).map(np.clip((values - low) / (high - low), 0, 1))
    np.testing.assert_allclose(seen[:, 3], [0, 0, 0, 0, 1, 1], atol=0.02)
