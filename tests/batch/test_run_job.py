from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_clip_heatmap as nch
from napari_clip_heatmap.batch.image_outcome import WorkState
from napari_clip_heatmap.batch.image_worker import ImageWorker
from napari_clip_heatmap.batch.run_job import load_job_model, plan_job, run_images
from napari_clip_heatmap.batch.run_settings import RunSettings
from napari_clip_heatmap.errors import DecompositionError, ImageError, OutputError, SettingsError
from napari_clip_heatmap.files.reading.image_file import read_image


def asked(folder: Path, *inputs: Path, **changed: Any) -> RunSettings:
    return RunSettings(tuple(map(str, inputs)), ("a", "b"), folder / "out", **changed)


@pytest.mark.parametrize(
    ("changed", "error", "word"),
    [
        ({"inside": "cells"}, SettingsError, "tissue"),
        ({"objects": "no-such.tif"}, SettingsError, "no-such"),
    ],
)
def test_mistakes_come_before_the_model(
    changed: dict[str, Any], error: type[Exception], word: str, scene: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=word):
        plan_job(asked(tmp_path, scene, **changed))
    with pytest.raises(ImageError, match="no image file"):
        plan_job(asked(tmp_path, tmp_path / "none.tif"))
    assert not (tmp_path / "out").exists()


def test_results_of_other_settings_are_kept(run: Any, scene: Path, tmp_path: Path) -> None:
    run(scene)
    with pytest.raises(OutputError, match="prompts"):
        plan_job(asked(tmp_path, scene, downsample=1.0))
    assert plan_job(asked(tmp_path, scene), overwrite=True).images[0].name == "scene"


def test_an_image_of_another_process_is_waited_for(
    tiny_model: Any, scene: Path, tmp_path: Path
) -> None:
    job = plan_job(asked(tmp_path, scene, downsample=1.0))
    worker = ImageWorker(tiny_model, job.settings, job.folder)
    waited: list[str] = []

    def hold() -> None:
        with job.folder.lock("scene"):
            held.set()
            while not waited:
                time.sleep(0.01)

    held = threading.Event()
    other = threading.Thread(target=hold)
    other.start()
    held.wait()
    (outcome,) = run_images(worker, job.images, lambda image: waited.append(image.name))
    other.join()
    assert waited == ["scene"]
    assert outcome.state is WorkState.DONE


def test_layers_and_heads(tiny_folder: Path, scene: Path, tmp_path: Path) -> None:
    name = f"local-dir:{tiny_folder}"
    whole = load_job_model(asked(tmp_path, scene, model=name))
    halves = [
        load_job_model(asked(tmp_path, scene, model=name, layers=layers))
        for layers in (("0",), tuple(f"L{n}" for n in range(1, whole.n_layers)))
    ]
    pixels = read_image(scene)
    maps = [nch.encode(each, pixels).token_map for each in (whole, *halves)]
    np.testing.assert_allclose(maps[1] + maps[2], maps[0], atol=1e-6)
    assert halves[0].describe() != whole.describe()
    with pytest.raises(DecompositionError, match="layer 99"):
        load_job_model(asked(tmp_path, scene, model=name, layers=("99",)))
