from __future__ import annotations

import errno
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from napari_clip_heatmap.batch.inputs.batch_image import BatchImage, ImageEntry
from napari_clip_heatmap.batch.job_folder import JobImage
from napari_clip_heatmap.batch.outputs import output_files, outputs_of
from napari_clip_heatmap.batch.outputs.image_output import (
    ImageOutput,
    OutputTarget,
    plane_suffix,
    write_plane,
)
from napari_clip_heatmap.batch.run_settings import KINDS, RunSettings


def target(folder: Path, lengths: tuple[int, ...] = (), **changed: object) -> OutputTarget:
    axes = ("time", "z")[: len(lengths)]
    opened = BatchImage(axes, lengths, (8, 9), "uint8", (8, 9), lambda index: ())
    settings = RunSettings(("a.tif",), ("a/b", "a b"), folder, **changed)  # type: ignore[arg-type]
    return OutputTarget(folder, JobImage(ImageEntry("a.tif"), "a", 0), opened, settings)


IN_FOLDER = tuple(kind for kind in KINDS if kind != "source-labels")
"""Kinds that lie in the folder of the job."""


@pytest.mark.parametrize("lengths", [(), (12,), (2, 3)])
@pytest.mark.parametrize("form", ["tif", "ome-zarr"])
def test_each_file_has_a_name_of_its_own(
    lengths: tuple[int, ...], form: str, tmp_path: Path
) -> None:
    files = output_files(target(tmp_path, lengths, format=form), IN_FOLDER)
    assert len(files) == len({file.casefold() for file in files})
    assert all(file.startswith("a") for file in files)


def test_the_published_names(tmp_path: Path) -> None:
    assert output_files(target(tmp_path), ("maps", "overlays")) == [
        *("a_a-b_heatmap.tif", "a_a-b-2_heatmap.tif"),
        *("a_a-b_overlay.png", "a_a-b-2_overlay.png"),
    ]
    stack = target(tmp_path, (12, 2))
    assert plane_suffix(stack.opened, (3, 1)) == "_t03_z1"
    assert output_files(target(tmp_path, format="ome-zarr"), ("maps", "labels")) == ["a.ome.zarr"]


def test_files_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "a_points.csv").write_text("old")
    (output,) = outputs_of(target(tmp_path), ("points",))
    output.draft("a_points.csv").write_text("new")
    assert (tmp_path / "a_points.csv").read_text() == "old"
    output.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["a_points.csv"]
    output.draft("a_points.csv").write_text("new")
    output.commit()
    output.discard()
    assert (tmp_path / "a_points.csv").read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 1


def test_folders_are_replaced_whole(tmp_path: Path) -> None:
    (output,) = outputs_of(target(tmp_path, format="ome-zarr"), ("maps",))
    for text in ("old", "new"):
        draft = output.draft("a.ome.zarr")
        draft.mkdir()
        (draft / text).touch()
        ImageOutput.commit(output)  # the store's own writes what is known at the end
    assert [path.name for path in (tmp_path / "a.ome.zarr").iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.ome.zarr"]


class Steps:
    """An output of a few steps, which notes what is done and by which thread."""

    def __init__(self, kind: str, steps: list[Any]) -> None:
        self.kind, self._steps = kind, steps

    def add(self, plane: object) -> list[Any]:
        return self._steps


def plane(*, small: bool) -> Any:
    return SimpleNamespace(scoring=object(), is_small=small)


def test_steps_of_a_large_plane_are_done_side_by_side_in_order() -> None:
    together = threading.Barrier(2, timeout=20)
    begun: list[str] = []

    def step(name: str) -> None:
        begun.append(name)
        together.wait()

    outputs: Any = [
        Steps("maps", [lambda: step("map"), lambda: step("map")]),
        Steps("overlays", [lambda: step("overlay")]),
    ]
    write_plane(outputs, plane(small=False), [lambda: step("picture")])
    assert {*begun[:2]} == {"picture", "map"}
    assert {*begun[2:]} == {"map", "overlay"}


def test_steps_of_a_small_plane_need_no_thread() -> None:
    threads: list[str] = []
    outputs: Any = [Steps("maps", [lambda: threads.append(threading.current_thread().name)])]
    write_plane(outputs, plane(small=True))
    assert threads == [threading.current_thread().name]


@pytest.mark.parametrize("small", [True, False])
def test_after_a_full_disk_no_further_step_begins(small: bool) -> None:
    done: list[int] = []

    def fail() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def slow(number: int) -> None:
        time.sleep(0.05)
        done.append(number)

    outputs: Any = [
        Steps("maps", [fail]),
        Steps("overlays", [partial(slow, number) for number in range(100)]),
    ]
    with pytest.raises(OSError, match="No space left"):
        write_plane(outputs, plane(small=small))
    assert len(done) < 50
