"""Seconds per megapixel, on a clock that the test drives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import napari_clip_heatmap as nch
from napari_clip_heatmap.clip.model import ClipModel
from napari_clip_heatmap.errors import Cancelled
from napari_clip_heatmap.imaging.lattice import plan_lattice
from napari_clip_heatmap.pipeline import batches, speed
from napari_clip_heatmap.pipeline.speed import (
    measure_architecture,
    measure_speed,
    tiles_per_megapixel,
)


class Clock:
    """Advances by what each pass is said to take."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Timed:
    """A model whose passes take a second for the batch and a quarter for each tile."""

    def __init__(self, model: ClipModel, clock: Clock, slow_first: float = 0.0) -> None:
        self._model, self._clock, self._extra = model, clock, slow_first
        self.sizes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def token_map(self, batch: torch.Tensor) -> Any:
        self.sizes.append(len(batch))
        self._clock.now += 1 + 0.25 * len(batch) + self._extra
        self._extra = 0.0
        return self._model.token_map(batch)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    ticking = Clock()
    monkeypatch.setattr(speed, "perf_counter", ticking)
    batches_at_once(1, monkeypatch)
    return ticking


def batches_at_once(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "at_once", lambda model: number)


def test_seconds_per_tile_times_tiles(tiny_model: ClipModel, clock: Clock) -> None:
    model: Any = Timed(tiny_model, clock, slow_first=100)  # warming up is not timed
    found = measure_speed(model)
    (size,) = set(model.sizes)
    assert len(model.sizes) == 1 + speed.MIN_ROUNDS
    expected = (1 + 0.25 * size) / size * tiles_per_megapixel(model.grid, model.patch_size)
    assert found == pytest.approx(expected)


def test_batches_side_by_side_are_timed_together(
    tiny_model: ClipModel, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches_at_once(3, monkeypatch)
    model: Any = Timed(tiny_model, clock)
    measure_speed(model)
    assert len(set(model.sizes)) == 1
    assert len(model.sizes) == 3 * (1 + speed.MIN_ROUNDS)


def test_as_many_are_timed_as_are_asked_for(
    tiny_model: ClipModel, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches_at_once(3, monkeypatch)
    model: Any = Timed(tiny_model, clock)
    measure_speed(model, at_once=1)
    assert len(model.sizes) == 1 + speed.MIN_ROUNDS


def test_a_quick_model_is_timed_for_longer(
    tiny_model: ClipModel, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "MIN_SECONDS", 50.0)
    model: Any = Timed(tiny_model, clock)
    measure_speed(model)
    assert clock.now >= 50
    assert len(model.sizes) > 1 + speed.MIN_ROUNDS


def test_batches_shrink_to_the_memory_there_is(
    tiny_model: ClipModel, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = Timed(tiny_model, clock)
    whole = model.token_map

    def small_memory(batch: torch.Tensor) -> Any:
        if len(batch) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(batch)

    monkeypatch.setattr(model, "token_map", small_memory, raising=False)
    monkeypatch.setattr(tiny_model, "max_batch", None)
    monkeypatch.setattr("napari_clip_heatmap.pipeline.batches.suitable_size", lambda model: 8)
    found = measure_speed(model)
    assert set(model.sizes[-3:]) == {2}
    expected = (1 + 0.25 * 2) / 2 * tiles_per_megapixel(model.grid, model.patch_size)
    assert found == pytest.approx(expected)


def test_cancelled_between_batches(tiny_model: ClipModel, clock: Clock) -> None:
    model: Any = Timed(tiny_model, clock)
    with pytest.raises(Cancelled):
        measure_speed(model, cancelled=lambda: len(model.sizes) == 2)
    assert len(model.sizes) == 2


def test_an_architecture_is_measured_where_it_was_asked_to_run() -> None:
    found = measure_architecture("demo", device="cpu", precision="fp32")
    assert (found.device, found.precision) == ("cpu", "float32")
    with pytest.raises(Cancelled):
        measure_architecture("demo", device="cpu", cancelled=lambda: True)


def test_a_real_clock(tiny_model: ClipModel) -> None:
    assert 0 < measure_speed(tiny_model) < 1000


@pytest.mark.parametrize(
    ("grid", "patch"),
    [
        ((14, 14), (16, 16)),
        ((7, 7), (32, 32)),
        ((4, 4), (64, 64)),
        ((12, 9), (8, 14)),
        ((1, 1), (32, 32)),
    ],
)
def test_tiles_are_those_of_an_encode(grid: tuple[int, int], patch: tuple[int, int]) -> None:
    """Of an image so large that its border counts for little."""
    sides = tuple(200 * n * size for n, size in zip(grid, patch, strict=True))
    tile = (grid[0] * patch[0], grid[1] * patch[1])
    lattice = plan_lattice(sides, sides, patch=patch, tile=tile, overlap=0.5)
    found = len(lattice.tiles) / (sides[0] * sides[1] / 1e6)
    assert tiles_per_megapixel(grid, patch) == pytest.approx(found, rel=0.02)


def test_it_is_what_encode_does(tiny_model: ClipModel, clock: Clock) -> None:
    """An encode of many tiles takes about as long as the measured speed says."""
    model: Any = Timed(tiny_model, clock)
    expected = measure_speed(model)
    side = 40 * model.image_size[0]
    before = clock.now
    noise = np.random.default_rng(0).random((side, side), np.float32)
    nch.encode(model, noise, downsample=1)
    assert (clock.now - before) / (side**2 / 1e6) == pytest.approx(expected, rel=0.1)
