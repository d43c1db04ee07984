from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_clip_heatmap.batch.image_record import begun_record
from napari_clip_heatmap.batch.inputs.batch_image import ImageEntry
from napari_clip_heatmap.batch.job_folder import JobFolder
from napari_clip_heatmap.batch.run_settings import RunSettings
from napari_clip_heatmap.errors import OutputError


def settings(folder: Path, **changed: object) -> RunSettings:
    return RunSettings(("a.tif",), ("nuclei",), folder, **changed)  # type: ignore[arg-type]


def begun(job: JobFolder, *sources: str, **changed: object) -> list[str]:
    images = job.name_images([ImageEntry(source) for source in sources])
    for image in images:
        file = f"{image.name}_heatmap.tif"
        (job.folder / file).touch()
        record = begun_record(image, settings(job.folder, **changed), files=[file], content={})
        job.keep(image.name, record | {"state": "done"})
    return [image.name for image in images]


@pytest.fixture
def job(tmp_path: Path) -> JobFolder:
    folder = JobFolder(tmp_path / "job")
    folder.make()
    return folder


def test_names_differ_and_stay(job: JobFolder) -> None:
    assert begun(job, "/x/cells.tif", "/y/Cells.png", "/y/cells.ome.tif") == [
        "cells",
        "Cells-2",
        "cells-ome",
    ]
    later = job.name_images([ImageEntry("/z/cells.tif"), ImageEntry("/y/Cells.png")])
    assert [image.name for image in later] == ["cells-3", "Cells-2"]
    assert [image.number for image in later] == [3, 1]
    part = job.name_images([ImageEntry("/p/plate.ome.zarr", "A/1/0", "zarr")])
    assert part[0].name == "plate-A-1-0"
    assert list(job.records()) == ["cells", "Cells-2", "cells-ome"], "in the order of the images"


def test_done_is_what_is_whole(job: JobFolder) -> None:
    begun(job, "/x/a.tif")
    asked = settings(job.folder)
    assert job.is_done(job.record("a"), asked)
    assert not job.is_done(None, asked)
    assert not job.is_done(job.record("a"), settings(job.folder, score="absolute"))
    assert not job.is_done(job.record("a"), settings(job.folder, write=("maps", "labels")))
    (job.folder / "a_heatmap.tif").unlink()
    assert not job.is_done(job.record("a"), asked)


def test_other_settings_are_refused_as_long_as_there_are_results(job: JobFolder) -> None:
    begun(job, "/x/a.tif")
    job.require_same_settings(settings(job.folder))
    with pytest.raises(OutputError, match=r"score: relative, now absolute.*--overwrite"):
        job.require_same_settings(settings(job.folder, score="absolute"))
    (job.folder / "a_heatmap.tif").unlink()
    job.require_same_settings(settings(job.folder, score="absolute"))


def test_files_of_others_are_refused(job: JobFolder) -> None:
    begun(job, "/x/a.tif")
    record = job.record("a")
    job.require_free(["a_heatmap.tif", "a_overlay.png"], record)
    (job.folder / "a_overlay.png").touch()
    with pytest.raises(OutputError, match="a_overlay"):
        job.require_free(["a_heatmap.tif", "a_overlay.png"], record)


HOLD = """
import sys, time
from pathlib import Path
from napari_clip_heatmap.batch.job_folder import JobFolder
with JobFolder(Path(sys.argv[1])).lock("a") as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


def test_a_lock_of_a_dead_process_is_taken_over(job: JobFolder) -> None:
    arguments = [sys.executable, "-c", HOLD, str(job.folder)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as p:
        assert p.stdout is not None
        assert p.stdout.readline().strip() == "True"
        with job.lock("a") as mine, job.lock("b") as other:
            assert (mine, other) == (False, True)
        p.kill()
    with job.lock("a") as mine:
        assert mine


def test_images_begun_together_are_known_until_each_is_done(job: JobFolder) -> None:
    images = job.name_images([ImageEntry("/x/a.tif"), ImageEntry("/x/b.tif")])
    records = {
        each.name: begun_record(each, settings(job.folder), files=[f"{each.name}_heatmap.tif"])
        for each in images
    }

    def stop_after_one() -> None:
        with job.begin_together(records):
            job.keep("a", records["a"] | {"state": "done"})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_after_one()
    other = JobFolder(job.folder)
    assert {name: each["state"] for name, each in other.records().items()} == {
        "a": "done",
        "b": "begun",
    }
    (job.folder / "b_heatmap.tif").touch()
    other.require_free(["b_heatmap.tif"], other.record("b"))
    other.sweep_drafts()
    assert other.record("b") == records["b"]
    other.keep("b", records["b"] | {"state": "done"})
    other.sweep_drafts()
    assert not any((job.state / "begun").iterdir())
    with job.begin_together(records):
        assert any((job.state / "begun").iterdir())
    assert not any((job.state / "begun").iterdir())


def test_an_empty_job_leaves_nothing(job: JobFolder) -> None:
    job.discard_if_empty()
    assert not job.folder.exists()
    job.make()
    begun(job, "/x/a.tif")
    job.discard_if_empty()
    assert job.records()


def test_a_damaged_record_is_said(job: JobFolder) -> None:
    begun(job, "/x/a.tif")
    (job.state / "images" / "a.json").write_text("{ cut")
    with pytest.raises(OutputError, match=r"a\.json"):
        job.records()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="choose another --output"):
            JobFolder(path).make()
