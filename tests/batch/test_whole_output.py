from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from napari_clip_heatmap.batch.whole_output import (
    disk_errors,
    put_in_place,
    remove_path,
    write_json,
    writing,
)
from napari_clip_heatmap.errors import OutputError


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("before")
    with writing(path) as draft:
        draft.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert [*tmp_path.iterdir()] == [path]


def test_a_cut_file_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("before")

    def cut() -> None:
        with writing(path) as draft:
            draft.write_text("aft")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut()
    assert path.read_text() == "before"
    assert [*tmp_path.iterdir()] == [path]


def test_a_folder_takes_the_place_of_a_folder(tmp_path: Path) -> None:
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"of {name}").touch()
    put_in_place(tmp_path / "new", tmp_path / "old")
    assert [str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*")] == [
        "old",
        "old/of new",
    ]


def test_a_link_is_removed_and_not_what_it_names(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder", target_is_directory=True)
    remove_path(tmp_path / "link")
    assert [*tmp_path.iterdir()] == [tmp_path / "folder"]


@pytest.mark.parametrize("indent", [None, 2])
def test_json_is_returned_as_it_is_written(indent: int | None, tmp_path: Path) -> None:
    content = {"name": "細胞", "shape": (3, 4), "of": [None, 0.1]}
    text = write_json(tmp_path / "a.json", content, indent)
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == f"{text}\n"
    assert json.loads(text) == content | {"shape": [3, 4]}


def test_a_full_disk_is_said_with_what_to_do(tmp_path: Path) -> None:
    def fill() -> None:
        with disk_errors(tmp_path):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError, match=r"No space left.*make room.*repeat the command"):
        fill()
