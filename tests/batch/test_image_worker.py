from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from filelock import FileLock

import napari_clip_heatmap as nch
from napari_clip_heatmap.batch.image_outcome import WorkState
from napari_clip_heatmap.batch.image_worker import ImageWorker
from napari_clip_heatmap.batch.run_job import plan_job
from napari_clip_heatmap.batch.run_settings import RunSettings
from napari_clip_heatmap.batch.tiles.tile_journal import TileJournal
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


@pytest.mark.parametrize(
    ("n_threads", "expected"),
    [
        pytest.param(1, [16, 8], id="three tiles that are left are filled up"),
        pytest.param(2, [10, 9], id="two batches side by side"),
    ],
)
def test_small_images_share_batches(
    n_threads: int,
    expected: list[int],
    tiny_model: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    set_threads: Callable[[int], None],
) -> None:
    from napari_clip_heatmap.pipeline import batches

    set_threads(n_threads)
    sent: list[int] = []
    forward = batches.start_forward

    def counted(model: Any, tiles: Any) -> Any:
        sent.append(len(tiles))
        return forward(model, tiles)

    many = tmp_path / "many"
    many.mkdir()
    pixels = np.random.default_rng(1).integers(0, 255, (20, 32, 32, 3), dtype=np.uint8)
    for number, each in enumerate(pixels):
        tifffile.imwrite(many / f"{number:02}.tif", each)
    (many / "05.tif").write_bytes(b"II*\0no picture")
    job = plan_job(RunSettings((str(many),), PROMPTS, tmp_path / "out", downsample=1.0))
    worker = ImageWorker(tiny_model, job.settings, job.folder)
    monkeypatch.setattr(batches, "start_forward", counted)
    outcomes = list(worker.work_together(job.images))
    monkeypatch.undo()
    assert sorted(sent, reverse=True) == expected
    assert [each.image.number for each in outcomes if each.state is WorkState.FAILED] == [5]
    assert sum(each.state is WorkState.DONE for each in outcomes) == 19
    for number in (0, 11, 19):
        maps = nch.encode(tiny_model, pixels[number], downsample=1.0).heatmaps(PROMPTS)
        written = read_image(tmp_path / "out" / f"{number:02}_nuclei_heatmap.tif")
        np.testing.assert_allclose(written, maps.values[0], atol=1e-6 * np.ptp(maps.values[0]))


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
import os, random, signal, sys, time
import napari_clip_heatmap as nch
from napari_clip_heatmap.cli import main

model, whole, cut, *asked = sys.argv[1:]
nch.load_model(model, device="cpu")  # imports what a run needs, once for all runs

def started(out):
    number = os.fork()
    if number == 0:
        sys.argv = ["clip-heatmap", "run", *asked, "-m", model, "-o", out]
        try:
            main()
        except SystemExit as end:
            os._exit(int(end.code or 0))
        os._exit(0)
    return number

def ended(number):
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])

begun = time.monotonic()
codes = [ended(started(whole))]
seconds = time.monotonic() - begun
moments = random.Random(0)
for _ in range(4):
    number = started(cut)
    time.sleep(moments.uniform(0.1, 0.9) * seconds)
    os.kill(number, signal.SIGKILL)
    codes.append(ended(number))
codes.append(ended(started(cut)))
print(*codes)
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
        tifffile.imwrite(many / f"scene-small{number}.tif", tifffile.imread(scene)[:32, :32])
    asked = [str(many), "-p", "nuclei", "-p", "background", "--downsample", "1", "--no-cache", "-q"]
    folders = [str(tmp_path / "whole"), str(tmp_path / "cut")]
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, f"local-dir:{tiny_folder}", *folders, *asked],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    codes = ran.stdout.split()
    assert codes[0] == codes[-1] == "0"
    assert str(-signal.SIGKILL) in codes, "at least one run was cut"
    names = sorted(path.name for path in (tmp_path / "whole").glob("scene*"))
    assert len(names) == 8 * 4
    assert names == sorted(path.name for path in (tmp_path / "cut").glob("scene*"))
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()
