from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_clip_heatmap.batch import spread_tiles
from napari_clip_heatmap.batch.gather_job import gather_job, settings_of_job
from napari_clip_heatmap.batch.image_worker import ImageWorker
from napari_clip_heatmap.batch.run_job import ImageJob, load_job_model, plan_job
from napari_clip_heatmap.batch.run_settings import RunSettings
from napari_clip_heatmap.batch.spread_tiles import chunks_left, compute_chunk, run_part
from napari_clip_heatmap.errors import OutputError


@pytest.fixture
def job(tiny_folder: Path, tmp_path: Path) -> ImageJob:
    random = np.random.default_rng(0)
    folder = tmp_path / "images"
    folder.mkdir()
    tifffile.imwrite(folder / "large.tif", random.integers(0, 255, (170, 190, 3), dtype=np.uint8))
    for name in ("a", "b"):
        tifffile.imwrite(folder / f"{name}.tif", random.integers(0, 255, (40, 50), dtype=np.uint8))
    (folder / "bad.tif").write_bytes(b"II*\0nothing")
    asked: Any = {"model": f"local-dir:{tiny_folder}", "downsample": 1.0}
    return plan_job(RunSettings((str(folder),), ("x", "y"), tmp_path / "out", **asked))


def test_what_parts_have_done_is_put_together(
    job: ImageJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread_tiles, "_SMALL", 20_000)
    worker = ImageWorker(load_job_model(job.settings), job.settings, job.folder)
    list(run_part(worker, job.images, 0, 2))
    first = gather_job(job.folder.folder)
    assert len(first.left) > 0
    list(run_part(worker, job.images, 1, 2))
    whole = gather_job(job.folder.folder)
    assert (whole.n_done, whole.left, len(whole.failed)) == (3, (), 1)
    assert "bad.tif" in whole.failed[0]
    record = json.loads((job.folder.folder / "run.json").read_text())
    assert record == whole.record
    assert [Path(each["source"]).stem for each in record["images"]] == ["a", "b", "large"]


def test_an_image_whose_tiles_are_all_there_is_finished(job: ImageJob) -> None:
    (large,) = [image for image in job.images if image.name == "large"]
    worker = ImageWorker(load_job_model(job.settings), job.settings, job.folder)
    chunks = chunks_left(worker, large)
    for chunk in chunks[:-1]:
        compute_chunk(worker, large, chunk)
    assert large.entry.label in gather_job(job.folder.folder).left
    assert not list(job.folder.folder.glob("large*"))
    compute_chunk(worker, large, chunks[-1])
    gathered = gather_job(job.folder.folder)
    assert gathered.n_done == 1
    assert (job.folder.folder / "large_x_heatmap.tif").is_file()


def test_settings_come_with_the_folder(job: ImageJob, tmp_path: Path) -> None:
    assert settings_of_job(job.folder.folder).decisive() == job.settings.decisive()
    moved = tmp_path / "moved"
    job.folder.folder.rename(moved)
    assert settings_of_job(moved).output == moved
    (tmp_path / "empty").mkdir()
    with pytest.raises(OutputError, match="no job"):
        settings_of_job(tmp_path / "empty")
