from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from napari_clip_heatmap.batch import cluster_run
from napari_clip_heatmap.batch.cluster_run import (
    ClusterTask,
    remote_cluster,
    run_on_cluster,
)
from napari_clip_heatmap.batch.image_outcome import WorkState
from napari_clip_heatmap.batch.image_worker import ImageWorker
from napari_clip_heatmap.batch.run_job import ImageJob, load_job_model, plan_job, run_images
from napari_clip_heatmap.batch.run_settings import RunSettings
from napari_clip_heatmap.errors import Cancelled, DeviceError, OutputError
from napari_clip_heatmap.pipeline.remote import scheduler
from napari_clip_heatmap.pipeline.remote.local_cluster import local_cluster

pytestmark = [
    # Of the libraries that are used here, when a cluster ends.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        # A cluster of another test, in this process, has set it for all that come later.
        patch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
        with local_cluster(2) as connected:
            yield connected


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Small images, one of several chunks of tiles, and a broken one."""
    monkeypatch.setattr(cluster_run, "_SMALL", 20_000)  # bytes: the large one is given out alone
    folder = tmp_path / "images"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(4):
        tifffile.imwrite(
            folder / f"small{number}.tif", random.integers(0, 255, (40, 50), dtype=np.uint8)
        )
    (folder / "broken.tif").write_bytes(b"II*\0no picture")
    tifffile.imwrite(folder / "large.tif", random.integers(0, 255, (170, 190, 3), dtype=np.uint8))
    return sorted(folder.iterdir())


def test_workers_on_this_machine_keep_the_memory_that_a_model_asks_for_again(client: Any) -> None:
    found = client.run(os.environ.get, "MALLOC_TRIM_THRESHOLD_")
    assert list(found.values()) == [None, None]


def planned(images: list[Path], out: Path, model: Path) -> ImageJob:
    asked: Any = {"model": f"local-dir:{model}", "downsample": 1.0, "device": "cpu"}
    return plan_job(RunSettings(tuple(map(str, images)), ("nuclei", "debris"), out, **asked))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*_*.*")}


def task_of(job: ImageJob) -> ClusterTask:
    """Return the task; its workers have as many threads as here, which decide the last digit.

    napari colors labels with Numba, which changes that number for PyTorch, too.
    """
    return ClusterTask.of(job.settings, cached=False, threads=torch.get_num_threads())


def test_two_workers_write_what_one_process_writes(
    client: Any, images: list[Path], tiny_folder: Path, tmp_path: Path
) -> None:
    one = planned(images, tmp_path / "one", tiny_folder)
    worker = ImageWorker(load_job_model(one.settings), one.settings, one.folder)
    alone = list(run_images(worker, one.images))
    two = planned(images, tmp_path / "two", tiny_folder)
    task = task_of(two)
    together = list(run_on_cluster(task, two.images, client))
    assert {each.image.name: each.state for each in together} == {
        each.image.name: each.state for each in alone
    }
    assert sorted(each.state.value for each in together) == ["done"] * 5 + ["failed"]
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert len(files(tmp_path / "one")) == 20
    again = list(run_on_cluster(task, two.images, client))
    assert sum(each.state is WorkState.DONE_BEFORE for each in again) == 5


def test_a_worker_that_dies_loses_nothing(
    client: Any, images: list[Path], tiny_folder: Path, tmp_path: Path
) -> None:
    large = [path for path in images if path.stem == "large"]
    one = planned(large, tmp_path / "one", tiny_folder)
    list(
        run_images(ImageWorker(load_job_model(one.settings), one.settings, one.folder), one.images)
    )
    two = planned(large, tmp_path / "two", tiny_folder)
    killed = []

    def kill_one(done: int, total: int) -> None:
        tiles = two.folder.state / "tiles"
        if not killed and any(tiles.glob("*/*.tiles")):
            address = next(iter(client.nthreads()))
            pid = client.run(_process, workers=[address], nanny=False)[address]
            killed.append(pid)
            _kill(pid)

    task = task_of(two)
    (outcome,) = run_on_cluster(task, two.images, client, progress=kill_one)
    assert outcome.state is WorkState.DONE
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_stopping_keeps_what_is_done(
    client: Any, images: list[Path], tiny_folder: Path, tmp_path: Path
) -> None:
    job = planned(images, tmp_path / "out", tiny_folder)
    task = task_of(job)
    with pytest.raises(Cancelled):
        list(run_on_cluster(task, job.images, client, cancelled=lambda: True))
    assert task.stop_file.exists()
    outcomes = list(run_on_cluster(ClusterTask.of(job.settings), job.images, client))
    assert len(outcomes) == len(images)


def test_an_error_of_the_disk_ends_the_run(
    client: Any, images: list[Path], tiny_folder: Path, tmp_path: Path
) -> None:
    job = planned(images, tmp_path / "out", tiny_folder)
    (tmp_path / "out" / "small0_nuclei_heatmap.tif").write_bytes(b"of someone else")
    with pytest.raises(OutputError, match="small0"):
        list(run_on_cluster(ClusterTask.of(job.settings), job.images, client))


def test_no_scheduler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "_TIMEOUT", 2)
    with pytest.raises(DeviceError, match="dask scheduler"), remote_cluster("tcp://127.0.0.1:9"):
        pass


def test_a_lost_scheduler_is_said_and_the_job_goes_on(
    images: list[Path], tiny_folder: Path, tmp_path: Path
) -> None:
    from distributed import Client, LocalCluster

    job = planned(images, tmp_path / "out", tiny_folder)
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        run = cluster_run._ClusterRun(ClusterTask.of(job.settings), _deque(job.images), client)
        run.fill()
        client.cancel([*run._begun], force=True)
        with pytest.raises(DeviceError, match="repeat the command"):
            [run.finished() for _ in range(10)]
    shutil.rmtree(job.folder.state / "tiles", ignore_errors=True)
    worker = ImageWorker(load_job_model(job.settings), job.settings, job.folder)
    assert len(list(run_images(worker, job.images))) == len(images)


def test_a_job_goes_on_at_a_new_scheduler(
    client: Any, images: list[Path], tiny_folder: Path, tmp_path: Path
) -> None:
    from distributed import Client, LocalCluster

    one = planned(images, tmp_path / "one", tiny_folder)
    worker = ImageWorker(load_job_model(one.settings), one.settings, one.folder)
    list(run_images(worker, one.images))
    two = planned(images, tmp_path / "two", tiny_folder)
    task = task_of(two)
    first = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50)

    def lose(done: int, total: int) -> None:
        if any((two.folder.state / "tiles").glob("*/*.tiles")):
            first.close()

    try:
        with (
            cluster_run._quiet_logs(),
            Client(first, set_as_default=False) as lost,
            pytest.raises(DeviceError, match="repeat the command"),
        ):
            list(run_on_cluster(task, two.images, lost, progress=lose))
    finally:
        first.close()
    kept = len(list((two.folder.state / "tiles").glob("*/*.tiles")))
    task = task_of(two)  # as a repeated command makes it
    together = list(run_on_cluster(task, two.images, client))
    assert kept == 1
    good = [each.state for each in together if each.state is not WorkState.FAILED]
    assert len(good) == 5
    assert set(good) <= {WorkState.DONE, WorkState.DONE_BEFORE}
    assert files(tmp_path / "one") == files(tmp_path / "two")


def _deque(images: Any) -> Any:
    from collections import deque

    return deque(images)


def _process() -> int:
    import os

    return os.getpid()


def _kill(pid: int) -> None:
    import os
    import signal

    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
