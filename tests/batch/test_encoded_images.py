from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import napari_clip_heatmap as nch
from napari_clip_heatmap.batch.encoded_images import (
    EncodedModel,
    PromptWorker,
    find_encodings,
    plan_prompts,
    search_encodings,
)
from napari_clip_heatmap.batch.image_outcome import WorkState
from napari_clip_heatmap.batch.image_worker import ImageWorker
from napari_clip_heatmap.batch.run_job import load_job_model, plan_job
from napari_clip_heatmap.batch.run_settings import RunSettings
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.image_file import read_image

Encode = Callable[..., Path]


@pytest.fixture
def encoded(tiny_folder: Path, tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """A folder of encodings of images that are gone, and what these were."""
    random = np.random.default_rng(0)
    pictures = {name: random.integers(0, 255, (40, 50, 3), dtype=np.uint8) for name in "abc"}
    folder = tmp_path / "images"
    folder.mkdir()
    for name, pixels in pictures.items():
        tifffile.imwrite(folder / f"{name}.tif", pixels)
    settings = RunSettings(
        (str(folder),),
        (),
        tmp_path / "encodings",
        model=f"local-dir:{tiny_folder}",
        write=("encodings",),
    )
    job = plan_job(settings)
    worker = ImageWorker(load_job_model(settings), settings, job.folder)
    assert [worker.work(image).state for image in job.images] == [WorkState.DONE] * 3
    shutil.rmtree(folder)
    return tmp_path / "encodings", pictures


def test_prompts_of_encodings_are_those_of_images(
    encoded: tuple[Path, dict[str, np.ndarray]], tiny_folder: Path, tmp_path: Path
) -> None:
    folder, pictures = encoded
    settings = RunSettings(
        (str(folder),), ("x", "y"), tmp_path / "out", write=("maps", "overlays", "table")
    )
    job = plan_prompts(settings)
    model: Any = EncodedModel(nch.open_encoding(job.images[0].entry.source))
    worker = PromptWorker(model, settings, job.folder)
    assert [worker.work(image).reason for image in job.images] == [""] * 3
    loaded = nch.load_model(f"local-dir:{tiny_folder}")
    for name, pixels in pictures.items():
        maps = nch.encode(loaded, pixels).heatmaps(["x", "y"])
        written = read_image(tmp_path / "out" / f"{name}_y_heatmap.tif")
        np.testing.assert_allclose(written, maps.values[1], atol=1e-6)
        drawn = read_image(tmp_path / "out" / f"{name}_y_overlay.png")
        np.testing.assert_array_equal(drawn, maps.jet()[1])
    assert worker.work(job.images[0]).state is WorkState.DONE_BEFORE


def test_a_search_ranks_by_the_same_numbers(
    encoded: tuple[Path, dict[str, np.ndarray]], tiny_folder: Path
) -> None:
    folder, pictures = encoded
    found = list(search_encodings("x", find_encodings([str(folder)])))
    loaded = nch.load_model(f"local-dir:{tiny_folder}")
    for each, pixels in zip(found, pictures.values(), strict=True):
        maps = nch.encode(loaded, pixels).heatmaps(["x"])
        assert each.similarity == pytest.approx(float(maps.similarity[0]), abs=1e-6)
        y, x = int(each.y), int(each.x)
        assert maps.values[0, y, x] >= maps.values[0].max() - 0.3 * np.ptp(maps.values[0])
        assert each.value == pytest.approx(maps.lattice_values[0].max(), abs=1e-6)


def test_what_is_no_encoding_is_said(
    encoded: tuple[Path, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    folder, _ = encoded
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="clip-heatmap encode"):
        find_encodings([str(tmp_path / "empty")])
    (folder / "bad_encoding.zarr.zip").write_bytes(b"not a zip")
    job = plan_prompts(RunSettings((str(folder),), ("x",), tmp_path / "out"))
    model: Any = EncodedModel(nch.open_encoding(folder / "a_encoding.zarr.zip"))
    worker = PromptWorker(model, job.settings, job.folder)
    states = {image.name: worker.work(image).state for image in job.images}
    assert states.pop("bad") is WorkState.FAILED
    assert set(states.values()) == {WorkState.DONE}
