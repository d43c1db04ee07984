from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from napari_clip_heatmap.errors import OutputError
from napari_clip_heatmap.files.reading.picture_choice import PictureChoice
from napari_clip_heatmap.files.run_record import new_record, write_record
from napari_clip_heatmap.files.run_request import (
    RunRequest,
    claim_folder,
    heatmap_file,
    make_folder,
    overlay_file,
)
from napari_clip_heatmap.imaging.view import View


def request(folder: Path, *prompts: str, **settings: object) -> RunRequest:
    return RunRequest((folder / "a.tif",), prompts or ("nuclei",), folder / "out", **settings)


def test_settings_are_json(tmp_path: Path) -> None:
    choice = PictureChoice(page=2, channel=(0, 1, 2))
    settings = request(tmp_path, view=View(limits=(1, 2)), choice=choice).settings()
    read = json.loads(json.dumps(settings))
    assert read["images"] == [str(tmp_path / "a.tif")]
    assert (read["page"], read["channel"], read["z"]) == (2, [0, 1, 2], None)
    assert read["view"]["limits"] == [1, 2]
    assert "choice" not in read


def test_names_of_results_differ(tmp_path: Path) -> None:
    images = (tmp_path / "a.tif", tmp_path / "b" / "a.png")
    run = RunRequest(images, ("x/y", "x y"), tmp_path)
    names = [name for group in run.names().values() for name in group]
    assert names == ["a_x-y", "a_x-y-2", "a-2_x-y", "a-2_x-y-2"]


def test_results_of_another_run_are_kept(tmp_path: Path) -> None:
    first = request(tmp_path)
    claim_folder(first, overwrite=False)
    write_record(first.output, new_record(first.settings(), {}))
    claim_folder(first, overwrite=False)  # the same again
    other = request(tmp_path, "nuclei", "actin")
    with pytest.raises(OutputError, match=r"run\.json.*--overwrite"):
        claim_folder(other, overwrite=False)
    claim_folder(other, overwrite=True)


@pytest.mark.parametrize("file", [heatmap_file, overlay_file])
def test_files_without_a_record_are_kept(file: object, tmp_path: Path) -> None:
    run = request(tmp_path)
    run.output.mkdir()
    (run.output / file("a_nuclei")).touch()
    with pytest.raises(OutputError, match="a_nuclei"):
        claim_folder(run, overwrite=False)


def test_extra_files_are_kept_too(tmp_path: Path) -> None:
    run = request(tmp_path)
    run.output.mkdir()
    (run.output / "sample.png").touch()
    claim_folder(run, overwrite=False)
    with pytest.raises(OutputError, match=r"sample\.png"):
        claim_folder(run, overwrite=False, extra=("sample.png",))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="choose another --output"):
            make_folder(path)
    if sys.platform != "win32":
        with pytest.raises(OutputError) as caught:
            make_folder(tmp_path / ("x" * 5000))
        assert len(str(caught.value)) <= 500
