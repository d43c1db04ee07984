from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_clip_heatmap.batch import spread_tiles
from napari_clip_heatmap.batch.image_outcome import WorkState
from napari_clip_heatmap.batch.image_worker import ImageWorker
from napari_clip_heatmap.batch.run_job import plan_job, run_images
from napari_clip_heatmap.batch.run_settings import RunSettings
from napari_clip_heatmap.batch.spread_tiles import chunks_left, compute_chunk, run_part
from napari_clip_heatmap.pipeline.batches import BatchedForward


def worker_of(model: Any, images: list[Path], out: Path) -> tuple[ImageWorker, Any]:
    asked = RunSettings(tuple(map(str, images)), ("a", "b"), out, downsample=1.0)
    job = plan_job(asked)
    return ImageWorker(model, job.settings, job.folder), job.images


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    random = np.random.default_rng(0)
    paths = [tmp_path / name for name in ("large.tif", "small.tif", "small2.tif")]
    for path, shape in zip(paths, [(170, 190, 3), (40, 50), (30, 30)], strict=True):
        tifffile.imwrite(path, random.integers(0, 255, shape, dtype=np.uint8))
    return paths


def test_chunks_hold_each_tile_once(tiny_model: Any, images: list[Path], tmp_path: Path) -> None:
    worker, (large, small, _) = worker_of(tiny_model, images, tmp_path / "out")
    chunks = chunks_left(worker, large)
    plane, _ = worker.kept_plane(large, ())
    assert [tile for chunk in chunks for tile in chunk.tiles] == list(plane.tiles)
    assert chunks_left(worker, small) == []
    assert compute_chunk(worker, large, chunks[1]) == len(chunks[1].tiles)
    assert compute_chunk(worker, large, chunks[1]) == 0, "no tile twice"
    left = [tile for chunk in chunks_left(worker, large) for tile in chunk.tiles]
    assert set(left) == set(plane.tiles) - set(chunks[1].tiles)


@pytest.mark.parametrize(("n_processes", "largest"), [(1, 32), (2, 16), (3, 12), (1000, 4)])
def test_each_process_gets_several_chunks(
    n_processes: int, largest: int, tiny_model: Any, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((190, 190), np.uint8))
    worker, (image,) = worker_of(tiny_model, [tmp_path / "a.tif"], tmp_path / "out")
    tiles, _ = worker.kept_plane(image, ())
    sizes = [len(chunk.tiles) for chunk in chunks_left(worker, image, n_processes)]
    assert sum(sizes) == len(tiles.tiles) > 100
    whole = BatchedForward(tiny_model).size
    assert max(sizes) < largest + whole
    assert all(size % whole == 0 for size in sizes[:-1]), "no batch is cut in two"


def test_parts_together_are_the_whole(
    tiny_model: Any, images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread_tiles, "_SMALL", 20_000)  # the large image is spread
    whole, planned = worker_of(tiny_model, images, tmp_path / "whole")
    list(run_images(whole, planned))
    states = []
    for part in (2, 0, 1):
        worker, planned = worker_of(tiny_model, images, tmp_path / "parts")
        states.append([each.state for each in run_part(worker, planned, part, 3)])
    assert WorkState.TILES_LEFT in states[0]
    assert states[2][-1] is WorkState.DONE, "the last part finishes the large image"
    names = sorted(path.name for path in (tmp_path / "whole").glob("*_*.*"))
    assert len(names) == 12
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
