from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import napari_clip_heatmap as nch
from napari_clip_heatmap.batch.tiles.plane_tiles import open_plane
from napari_clip_heatmap.errors import Cancelled
from napari_clip_heatmap.imaging.channel import as_channels
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.view import View


def picture() -> np.ndarray:
    pixels = np.random.default_rng(0).random((100, 140)).astype(np.float32)
    pixels[:, :40] = 0.5  # blank tiles
    pixels[70:80, 100:120] = np.nan
    return pixels


def test_tiles_together_are_what_encode_returns(tiny_model: Any) -> None:
    pixels = picture()
    plane = open_plane(tiny_model, as_channels(pixels), View(), Region(), 1.0)
    assert len(plane.tiles) > 10
    ours = plane.assemble(plane.compute(plane.tiles))
    theirs = nch.encode(tiny_model, pixels, downsample=1.0)
    assert ours.complete
    np.testing.assert_allclose(ours.token_map, theirs.token_map, atol=1e-6)
    np.testing.assert_array_equal(ours.valid, theirs.valid)
    np.testing.assert_array_equal(ours.accumulator.contrast.low, theirs.accumulator.contrast.low)
    assert ours.describe() == theirs.describe()


def test_the_result_does_not_depend_on_who_did_which_tile(tiny_model: Any) -> None:
    pixels = picture()

    def computed(parts: list[list[tuple[int, int]]]) -> np.ndarray:
        done = []
        for part in parts:  # each as a process of its own would
            plane = open_plane(tiny_model, as_channels(pixels), View(), Region(), 1.0)
            done += list(plane.compute(part))
        plane = open_plane(tiny_model, as_channels(pixels), View(), Region(), 1.0)
        return plane.assemble(sorted(done, key=lambda each: each.tile)).token_map

    tiles = list(open_plane(tiny_model, as_channels(pixels), View(), Region(), 1.0).tiles)
    whole = computed([tiles])
    random.Random(0).shuffle(tiles)
    np.testing.assert_array_equal(computed([tiles[:7], tiles[7:9], tiles[9:]]), whole)


def test_cancelling_keeps_what_is_done(tiny_model: Any) -> None:
    plane = open_plane(tiny_model, as_channels(picture()), View(), Region(), 1.0)
    done: list[Any] = []

    def collect() -> None:
        for each in plane.compute(plane.tiles, lambda: len(done) >= 3):
            done.append(each)  # noqa: PERF402 - what is done counts, whatever comes after

    with pytest.raises(Cancelled, match="go"):
        collect()
    assert 3 <= len(done) < 3 + 12 < len(plane.tiles)
