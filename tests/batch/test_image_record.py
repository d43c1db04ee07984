from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_a_record_is_what_is_read_back(run: Callable[..., Any], scene: Path) -> None:
    worker = run(scene)
    record = worker.outcomes[0].record
    stored = json.loads((worker.job.state / "images" / "scene.json").read_text())
    assert stored == record
    entry = record["entry"]
    assert entry["shape"] == [90, 130, 3]
    assert [each["prompt"] for each in entry["results"]] == ["nuclei", "background"]
    assert all((worker.job.folder / file).is_file() for file in record["files"])
    low, high = entry["results"][0]["range"]
    assert low < high


def test_a_failed_image_keeps_what_it_had(run: Callable[..., Any], scene: Path) -> None:
    files = run(scene).outcomes[0].record["files"]
    scene.write_bytes(b"no picture")
    worker = run(scene)
    record = worker.job.record("scene")
    assert record["state"] == "failed"
    assert record["files"] == files
    assert "scene.tif" in record["reason"]


@pytest.mark.parametrize("write", [("maps",), ("overlays", "encodings")])
def test_files_that_were_not_written_are_not_named(
    write: tuple[str, ...], run: Callable[..., Any], scene: Path
) -> None:
    result = run(scene, write=write).outcomes[0].record["entry"]["results"][0]
    assert ("heatmap" in result, "overlay" in result) == ("maps" in write, "overlays" in write)
    assert "count" not in result
