from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_clip_heatmap.batch import thumbnails
from napari_clip_heatmap.batch.outputs.plane_result import PlaneResult


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


@pytest.mark.parametrize(
    ("write", "read"), [(("maps", "table"), [(13, 19)]), (("maps", "overlays"), [(90, 130)])]
)
def test_an_image_is_drawn_large_for_overlays_alone(
    write: tuple[str, ...],
    read: list[tuple[int, int]],
    run: Callable[..., Any],
    scene: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a slide, a thumbnail reads a coarse level, an overview hundreds of megabytes."""
    monkeypatch.setattr(thumbnails, "THUMBNAIL_SIDE", 20)
    shapes: list[tuple[int, int]] = []
    whole = PlaneResult._read_picture

    def noted(self: PlaneResult, shape: tuple[int, int]) -> Any:
        shapes.append(shape)
        return whole(self, shape)

    monkeypatch.setattr(PlaneResult, "_read_picture", noted)
    run(scene, write=write)
    assert shapes == read
