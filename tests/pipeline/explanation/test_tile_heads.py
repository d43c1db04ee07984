"""Tiles that went through the model: each once, and again only where the model has changed."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
import torch

import napari_clip_heatmap as nch
from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.errors import DecompositionError
from napari_clip_heatmap.pipeline.explanation import tile_heads as module
from napari_clip_heatmap.pipeline.explanation.tile_heads import TiledImage, tile_heads


def tile(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((32, 32, 3)).astype(np.float32)


@pytest.fixture
def model(tiny_clip: Any) -> Any:
    return load_model(tiny_clip, device="cpu")


def test_the_lattice_and_the_tiles_are_those_of_encode(model: Any) -> None:
    image = np.random.default_rng(0).integers(0, 256, (80, 50), dtype=np.uint8)
    region = nch.Region(box=(0, 0, 20, 50))
    settings = {"region": region, "overlap": 0.25, "downsample": 1.2}
    encoding, tiled = nch.encode(model, image, **settings), TiledImage(model, image, **settings)
    assert tiled.lattice == encoding.lattice
    assert tiled.tiles == encoding.tiles
    for each in tiled.tiles:
        tiled.read(each)
    assert tiled.counted() == [each for each in encoding.tiles if encoding.counted_tiles[each]]
    everywhere = slice(0, tiled.lattice.grid[0]), slice(0, tiled.lattice.grid[1])
    assert tiled.tiles_over(*everywhere) == [*tiled.lattice.tiles]
    assert tiled.tiles_over(slice(0, 1), slice(0, 1)) == [(0, 0)]


def test_a_tile_is_run_once_as_long_as_there_is_memory(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tile_heads(model, tile(0))
    assert tile_heads(model, tile(0)) is first
    assert tile_heads(model, tile(1)) is not first
    monkeypatch.setattr(module, "LIMIT", int(2.5 * first.n_bytes))
    tile_heads(model, tile(0))  # used last
    tile_heads(model, tile(2))
    assert tile_heads(model, tile(0)) is first
    tile_heads(model, tile(3))
    tile_heads(model, tile(2))
    assert tile_heads(model, tile(0)) is not first


def test_a_model_that_nobody_needs_is_freed(tiny_clip: Any) -> None:
    model = load_model(tiny_clip, device="cpu")
    tile_heads(model, tile(0))
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


class Failing:
    """A model on a device that fails until it has moved to the CPU."""

    def __init__(self, model: Any, error: Exception) -> None:
        self.model, self.error, self.reasons = model, error, []
        self.device, self.tower = torch.device("cuda"), object()

    def preprocess(self, tiles: Any) -> Any:
        return self.model.preprocess(tiles)

    def head_vectors(self, batch: Any) -> Any:
        if self.device.type == "cuda":
            raise self.error
        return self.model.head_vectors(batch)

    def fall_back_to_cpu(self, reason: str) -> None:
        self.reasons.append(reason)
        self.device, self.tower = torch.device("cpu"), self.model.tower


def test_where_a_device_fails_the_cpu_goes_on(model: Any) -> None:
    failing: Any = Failing(model, RuntimeError("CUDA error: an illegal memory access"))
    found = tile_heads(failing, tile(5))
    assert len(failing.reasons) == 1
    torch.testing.assert_close(found.vectors, tile_heads(model, tile(5)).vectors)
    failing.device = torch.device("cpu")
    failing.model = None
    with pytest.raises(AttributeError):
        tile_heads(failing, tile(6))


def test_what_is_not_finite_is_refused(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = model.head_vectors

    def overflow(batch: Any) -> Any:
        heads = run(batch)
        heads.vectors[0, 0, 0, 0, 0] = float("inf")
        return heads

    monkeypatch.setattr(model, "head_vectors", overflow)
    with pytest.raises(DecompositionError, match="not finite"):
        tile_heads(model, tile(7))
