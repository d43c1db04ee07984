from __future__ import annotations

import json
from dataclasses import replace

import dask.array as da
import numpy as np
import pytest

from napari_clip_heatmap._napari.job import heatmap_stack as module
from napari_clip_heatmap._napari.job.heatmap_stack import HeatmapStack, layer_records, limits_of
from napari_clip_heatmap._napari.job.request import HeatmapRequest, PlaneRequest, ResultStatus
from napari_clip_heatmap._napari.job.run import PromptScorer
from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.files.reproduction_script import python_script
from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.compositing import Blend, ThickPlane
from napari_clip_heatmap.imaging.view import View
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


ORIGIN = {
    "layer": "cells",
    "path": None,
    "shape": [40, 50],
    "dtype": "float64",
    "sample": None,
    "levels": [],
    "colormap": None,
}

MODEL = {"name": "demo", "image_size": [96, 96], "mean": [0.5] * 3, "std": [0.5] * 3}
"""Of the record of a model that a script can load."""


def described(model, channels, pixels):
    """The records of two prompts on some channels."""
    request = HeatmapRequest(
        (PlaneRequest((), channels),),
        ("red", "green"),
        ("a", "b"),
        view=View("shown"),
        origins=(ORIGIN,) * len(channels),
    )
    scorer = PromptScorer(request, model.text)
    scorer.paint((), encode(model, pixels, downsample=1))
    result = scorer.result(ResultStatus.COMPLETE, tiles=3)
    return layer_records(result, request, source="cells", source_id="7")


@pytest.fixture
def pixels():
    return np.random.default_rng(0).random((40, 50, 3))


def test_each_prompt_has_a_record_that_json_can_hold(model, pixels):
    channel = Channel((pixels[..., 0],), limits=(0.0, 2.0), gamma=0.5)
    first, second = described(model, (channel,), pixels)
    assert (first["prompt"], first["row"], second["prompt"]) == ("red", "a", "green")
    assert first["complete"]
    assert (first["source"], first["source_id"]) == ("cells", "7")
    assert first["origins"][0]["limits"] == [0.0, 2.0]
    assert first["origins"][0]["blend"] is None
    assert json.loads(json.dumps(first)) == first


def test_blending_is_told_and_the_script_repeats_it(model, pixels):
    blend = Blend("minimum", 0.5, 1, (0.1, 0.1, 0.1))
    channel = Channel((pixels[..., 0],), limits=(0.0, 1.0), blend=blend)
    record, _ = described(model, (replace(channel, blend=Blend()), channel), pixels)
    reported = record["origins"][1]["blend"]
    assert Blend(**{**reported, "background": tuple(reported["background"])}) == blend
    record["model"] = {**record["model"], **MODEL}
    assert "blend=Blend(**{'mode': 'minimum'" in python_script(record)


def test_a_thick_slice_is_told_and_no_script_claims_to_repeat_it(model, pixels):
    thick = ThickPlane(pixels.transpose(2, 0, 1), ((0, 2),), "max")
    record, _ = described(model, (Channel((thick,), limits=(0.0, 1.0)),), pixels)
    assert record["origins"][0]["projection"] == {"name": "max", "ranges": [[0, 2]]}
    record["model"] = {**record["model"], **MODEL}
    with pytest.raises(SettingsError, match="thick slice"):
        python_script(record)
