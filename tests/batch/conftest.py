"""Shared by tests of jobs: settings for a tiny model, a worker, and images on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_clip_heatmap.batch.image_worker import ImageWorker
from napari_clip_heatmap.batch.run_job import plan_job
from napari_clip_heatmap.batch.run_settings import RunSettings

PROMPTS = ("nuclei", "background")


@pytest.fixture
def run(tiny_model: Any, tmp_path: Path) -> Callable[..., ImageWorker]:
    """Do all images of some inputs, and return the worker that did them."""

    def do(*inputs: Path | str, **settings: Any) -> ImageWorker:
        asked = {"prompts": PROMPTS, "output": tmp_path / "out", "downsample": 1.0, **settings}
        job = plan_job(RunSettings(tuple(map(str, inputs)), **asked))
        worker = ImageWorker(tiny_model, job.settings, job.folder)
        worker.outcomes = [worker.work(image) for image in job.images]  # type: ignore[attr-defined]
        return worker

    return do


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A picture of several tiles, in a file."""
    path = tmp_path / "scene.tif"
    pixels = np.random.default_rng(3).integers(0, 255, (90, 130, 3), dtype=np.uint8)
    tifffile.imwrite(path, pixels)
    return path
