from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from napari_clip_heatmap.errors import OutputError
from napari_clip_heatmap.files.run_record import new_record, read_record, write_record

if TYPE_CHECKING:
    from pathlib import Path


def test_a_record_is_read_back(tmp_path: Path) -> None:
    record = new_record({"prompts": ["細胞核 🔬"]}, {"name": "demo"})
    path = write_record(tmp_path, record)
    assert [file.name for file in tmp_path.iterdir()] == [path.name] == ["run.json"]
    assert read_record(tmp_path) == record == json.loads(path.read_text(encoding="utf-8"))


def test_no_record(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None


def test_someone_elses_file_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{ not ours")
    with pytest.raises(OutputError, match=r"run\.json"):
        read_record(tmp_path)
    (tmp_path / "run.json").write_text("[1]")
    assert read_record(tmp_path) == {}
