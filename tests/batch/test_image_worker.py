from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from filelock import FileLock

import napari_clip_heatmap as nch
from napari_clip_heatmap.batch.image_worker import ImageWorker, WorkState
from napari_clip_heatmap.batch.run_job import plan_job
from napari_clip_heatmap.batch.run_settings import RunSettings
from napari_clip_heatmap.batch.tile_journal import TileJournal
from napari_clip_heatmap.errors import Cancelled, OutputError
from napari_clip_heatmap.files.reading.image_file import read_image

PROMPTS = ("nuclei", "background")


def test_maps_are_those_of_the_library(
    run: Callable[..., Any], scene: Path, tiny_model: Any
) -> None:
    worker = run(scene)
    assert [each.state for each in worker.outcomes] == [WorkState.DONE]
    maps = nch.encode(tiny_model, read_image(scene), downsample=1.0).heatmaps(PROMPTS)
    written = read_image(worker.job.folder / "scene_nuclei_heatmap.tif")
    np.testing.assert_allclose(written, maps.values[0], atol=1e-6 * np.ptp(maps.values[0]))
    assert not list((worker.job.state / "tiles").iterdir()), "finished tiles are not kept"


def test_a_stopped_image_goes_on_with_its_next_tile(
    run: Callable[..., Any], scene: Path, tiny_model: Any, tmp_path: Path
) -> None:
    run(scene, output=tmp_path / "whole")
    job = plan_job(RunSettings((str(scene),), PROMPTS, tmp_path / "cut", downsample=1.0))
    sent: list[tuple[int, int]] = []
    real, limit = TileJournal.append, 5

    class Counting(TileJournal):
        def append(self, done: Any) -> None:
            sent.append(done.tile)
            real(self, done)

    from napari_clip_heatmap.batch import image_worker

    patch = pytest.MonkeyPatch()
    patch.setattr(image_worker, "TileJournal", Counting)
    with pytest.raises(Cancelled):
        ImageWorker(
            tiny_model, job.settings, job.folder, cancelled=lambda: len(sent) >= limit
        ).work(job.images[0])
    assert limit <= len(sent) < limit + 12, "it ends with the batch at hand"
    assert not list((tmp_path / "cut").glob("scene*")), "nothing half done is seen"
    outcome = ImageWorker(tiny_model, job.settings, job.folder).work(job.images[0])
    patch.undo()
    assert outcome.state is WorkState.DONE
    assert len(sent) == len(set(sent)), "no tile was done twice"
    for file in sorted((tmp_path / "whole").glob("scene*")):
        assert file.read_bytes() == (tmp_path / "cut" / file.name).read_bytes(), file.name


def test_what_is_done_is_not_done_again(run: Callable[..., Any], scene: Path) -> None:
    before = run(scene).job.folder / "scene_nuclei_heatmap.tif"
    stamp = before.stat().st_mtime_ns
    os.utime(scene)  # touched, and the same
    assert run(scene).outcomes[0].state is WorkState.DONE_BEFORE
    assert before.stat().st_mtime_ns == stamp
    before.unlink()
    assert run(scene).outcomes[0].state is WorkState.DONE
    assert before.is_file()


def test_another_process_at_work_is_left_alone(run: Callable[..., Any], scene: Path) -> None:
    worker = run(scene)
    image = worker.outcomes[0].image
    with FileLock(worker.job.state / "locks" / "scene.lock"):
        assert worker.work(image).state is WorkState.BUSY
    assert worker.work(image).state is WorkState.DONE_BEFORE


def test_a_source_that_is_gone_is_said(run: Callable[..., Any], scene: Path) -> None:
    worker = run(scene)
    scene.unlink()
    outcome = worker.work(worker.outcomes[0].image)
    assert outcome.state is WorkState.FAILED
    assert "scene.tif" in outcome.reason
    assert (worker.job.folder / "scene_nuclei_heatmap.tif").is_file()


def test_files_of_others_are_not_replaced(run: Callable[..., Any], scene: Path) -> None:
    out = scene.parent / "out"
    out.mkdir()
    (out / "scene_nuclei_overlay.png").write_bytes(b"precious")
    with pytest.raises(OutputError, match="scene_nuclei_overlay"):
        run(scene)
    assert (out / "scene_nuclei_overlay.png").read_bytes() == b"precious"


@pytest.mark.parametrize("labels", ["file", "folder"])
def test_given_objects_are_named(labels: str, run: Callable[..., Any], scene: Path) -> None:
    marked = np.zeros((90, 130), np.uint16)
    marked[10:40, 10:50], marked[50:80, 70:120] = 3, 7
    path = scene.parent / "labels" / "scene.tif"
    path.parent.mkdir()
    tifffile.imwrite(path, marked)
    given = str(path if labels == "file" else path.parent)
    worker = run(scene, objects=given, write=("table", "geojson"))
    table = (worker.job.folder / "scene_objects.csv").read_text().splitlines()
    assert len(table) == 3
    assert [row.split(",")[0] for row in table[1:]] == ["3", "7"]
    results = worker.outcomes[0].record["entry"]["results"]
    assert sum(each["count"] for each in results) == 2
    assert sum(each["area"] for each in results) == 30 * 40 + 30 * 50


SCRIPT = """
import sys
from napari_clip_heatmap.cli import main
sys.argv = ["clip-heatmap", *sys.argv[1:]]
main()
"""


def test_killed_at_any_moment_and_repeated_it_is_the_same(
    scene: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    if sys.platform == "win32":
        pytest.skip("there is no SIGKILL")
    many = tmp_path / "many"
    many.mkdir()
    for number in range(4):
        shutil.copy(scene, many / f"scene{number}.tif")
    asked = [sys.executable, "-c", SCRIPT, "run", str(many), "-p", "nuclei", "-p", "background"]
    asked += ["-m", f"local-dir:{tiny_folder}", "--downsample", "1", "--no-cache", "-q"]

    def command(out: Path) -> list[str]:
        return [*asked, "-o", str(out)]

    started = time.monotonic()
    subprocess.run(command(tmp_path / "whole"), check=True)
    seconds = time.monotonic() - started
    moments = random.Random(0)
    for _ in range(3):
        process = subprocess.Popen(command(tmp_path / "cut"))
        try:
            process.wait(timeout=moments.uniform(0.6, 1.0) * seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
    subprocess.run(command(tmp_path / "cut"), check=True)
    names = sorted(path.name for path in (tmp_path / "whole").glob("scene*"))
    assert names == sorted(path.name for path in (tmp_path / "cut").glob("scene*"))
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()
