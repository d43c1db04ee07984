from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_clip_heatmap.batch.tiles.plane_tiles import PlaneTiles, open_plane
from napari_clip_heatmap.batch.tiles.shared_batches import compute_together, shared_batch_size
from napari_clip_heatmap.errors import Cancelled
from napari_clip_heatmap.imaging.channel import as_channels
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.view import View


def planes(model: Any, shapes: list[tuple[int, int]]) -> list[PlaneTiles]:
    random = np.random.default_rng(0)
    images = [random.integers(0, 255, (*shape, 3), dtype=np.uint8) for shape in shapes]
    images[-1][:] = 90  # blank
    return [open_plane(model, as_channels(each), View(), Region(), 1.0) for each in images]


def test_tiles_of_several_planes_are_what_each_is_alone(tiny_model: Any) -> None:
    opened = planes(tiny_model, [(32, 32), (40, 60), (20, 32), (32, 32)])
    together = compute_together(tiny_model, [each.read() for each in opened])
    assert [len(each) for each in together] == [len(each.tiles) for each in opened]
    for plane, finished in zip(opened, together, strict=True):
        alone = sorted(plane.compute(plane.tiles), key=lambda each: each.tile)
        for one, other in zip(alone, finished, strict=True):
            assert one.tile == other.tile
            np.testing.assert_allclose(one.tokens, other.tokens, atol=1e-6)
            np.testing.assert_allclose(one.embedding, other.embedding, atol=1e-6)
            np.testing.assert_array_equal(one.low, other.low)


def test_it_does_not_matter_which_images_are_left_to_do(tiny_model: Any) -> None:
    opened = [each.read() for each in planes(tiny_model, [(32, 32)] * 12)]
    every = compute_together(tiny_model, opened)
    (last,) = compute_together(tiny_model, opened[7:8])
    np.testing.assert_array_equal(every[7][0].tokens, last[0].tokens)


def test_a_large_model_gets_no_more_tiles_than_alone(tiny_model: Any) -> None:
    class Large:
        device, grid = tiny_model.device, (14, 14)
        max_batch, n_layers, d_model = None, 12, 768

    assert shared_batch_size(tiny_model) == 16
    large: Any = Large()
    assert shared_batch_size(large) == 1


def test_it_stops_before_the_next_batch(tiny_model: Any) -> None:
    (first, *_) = planes(tiny_model, [(32, 32), (32, 32)])
    with pytest.raises(Cancelled):
        compute_together(tiny_model, [first.read()], lambda: True)
