from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest

from napari_clip_heatmap._napari.job import heatmap_stack as module
from napari_clip_heatmap._napari.job.heatmap_stack import HeatmapStack, limits_of
from napari_clip_heatmap.pipeline.encode import encode

PROMPTS = ("red", "green")


@pytest.fixture
def maps(model):
    image = np.random.default_rng(0).random((90, 140, 3))
    image[20:30, 40:50] = np.nan
    return encode(model, image, downsample=1).lazy_heatmaps(PROMPTS)


@pytest.fixture
def beyond_memory(monkeypatch):
    monkeypatch.setattr(module, "EAGER_BYTES", 0)


def data(picture):
    levels = [picture.layer_data(number) for number in range(len(PROMPTS))]
    return np.stack([level[0] if isinstance(level, list) else level for level in levels])


@pytest.mark.parametrize(("leading", "index"), [((), ()), ((3,), (1,)), ((2, 3), (1, 2))])
def test_lazy_is_eager_exactly(maps, monkeypatch, leading, index):
    eager = HeatmapStack(PROMPTS, maps.lattice, leading)
    monkeypatch.setattr(module, "EAGER_BYTES", 0)
    lazy = HeatmapStack(PROMPTS, maps.lattice, leading)
    for each in (eager, lazy):
        each.paint(index, maps)
    assert isinstance(lazy.layer_data(0), da.Array)
    np.testing.assert_array_equal(data(lazy), data(eager))
    np.testing.assert_array_equal(data(eager)[(slice(None), *index)], maps.window())
    assert np.isfinite(data(eager)).sum() == np.isfinite(maps.window()).sum()


@pytest.mark.parametrize(("leading", "index"), [((), ()), ((3,), (1,))])
def test_stripes_are_in_the_cells_named_and_the_same_lazily(maps, monkeypatch, leading, index):
    eager = HeatmapStack(PROMPTS, maps.lattice, leading)
    monkeypatch.setattr(module, "EAGER_BYTES", 0)
    lazy = HeatmapStack(PROMPTS, maps.lattice, leading)
    cells = np.zeros(maps.lattice.grid, bool)
    cells[:, :6] = True
    for each in (eager, lazy):
        each.paint(index, maps)
        each.stripe(index, cells)
    np.testing.assert_array_equal(data(lazy), data(eager))
    edge = int(maps.lattice.x.cell_edges()[6])
    gone = np.isnan(data(eager)[(slice(None), *index)]) & np.isfinite(maps.window())
    assert not gone[..., edge:].any()
    assert 0.4 < gone[..., :edge].mean() < 0.6
    eager.paint(index, maps)
    np.testing.assert_array_equal(data(eager)[(slice(None), *index)], maps.window())


def test_what_is_painted_later_shows_at_once_also_lazily(maps, beyond_memory):
    picture = HeatmapStack(PROMPTS, maps.lattice)
    seen = picture.layer_data(0)
    assert np.isnan(seen.compute()).all()
    picture.paint((), maps)
    np.testing.assert_array_equal(seen.compute(), maps.window()[0])


def test_a_part_painted_is_as_if_all_were(maps):
    whole, part = (HeatmapStack(PROMPTS, maps.lattice) for _ in range(2))
    before = replace(maps, lattice_values=maps.lattice_values + 0)
    before.lattice_values[:, 3:6, 5:9] = 0
    part.paint((), before)
    before.lattice_values[:, 3:6, 5:9] = maps.lattice_values[:, 3:6, 5:9]
    part.paint((), before, (slice(3, 6), slice(5, 9)))
    whole.paint((), maps)
    np.testing.assert_array_equal(data(part), data(whole))


def test_a_large_plane_is_a_pyramid(maps, beyond_memory, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_PLANE", 100)
    monkeypatch.setattr(module, "SMALLEST_LEVEL", 40)
    picture = HeatmapStack(PROMPTS, maps.lattice)
    picture.paint((), maps)
    levels = picture.layer_data(1)
    assert picture.multiscale
    assert [level.shape for level in levels] == [(90, 140), (45, 70), (23, 35)]
    for factor, level in zip((1, 2, 4), levels, strict=True):
        np.testing.assert_array_equal(level.compute(), maps.window(factor=factor)[1])


def test_stripes_of_a_lazy_map_cost_nothing_until_it_is_looked_at(maps, beyond_memory, monkeypatch):
    monkeypatch.setattr(module, "stripes", lambda *_: pytest.fail("all of it was computed"))
    picture = HeatmapStack(PROMPTS, maps.lattice)
    picture.paint((), maps)
    picture.stripe((), np.ones(maps.lattice.grid, bool))
    picture.paint_rest()


def test_limits_hold_what_is_painted_and_only_widen_until_they_settle(maps):
    picture = HeatmapStack(PROMPTS, maps.lattice)
    picture.paint((), replace(maps, lattice_values=maps.lattice_values * 0.1))
    picture.widen_limits()
    seen = [picture.limits]
    for strength in np.linspace(0.1, 1, 40):
        picture.paint((), replace(maps, lattice_values=maps.lattice_values * np.float32(strength)))
        picture.widen_limits()
        for (low, high), each in zip(picture.limits, data(picture), strict=True):
            assert low <= np.nanmin(each)
            assert np.nanmax(each) <= high
        seen.append(picture.limits)
    for prompt in range(2):
        lows, highs = zip(*(limits[prompt] for limits in seen), strict=True)
        assert list(lows) == sorted(lows, reverse=True)
        assert list(highs) == sorted(highs)
    assert len(set(seen)) < 15
    picture.settle_limits()
    assert picture.limits == tuple(limits_of(each) for each in data(picture))


def test_limits_are_never_equal():
    assert limits_of(np.full((3, 3), 2, np.float32)) == (2, 2 + 1e-6)
    assert limits_of(np.full((3, 3), np.nan, np.float32)) == (0, 1)
