from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr

from napari_clip_heatmap.batch.job_report import write_reports


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_reports_of_a_stack_with_objects(run: Callable[..., Any], tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 255, (3, 40, 50), dtype=np.uint8)
    tifffile.imwrite(
        tmp_path / "movie.ome.tif",
        stack,
        metadata={"axes": "TYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5},
    )
    (tmp_path / "bad.tif").write_bytes(b"no <picture>")
    files = [tmp_path / "movie.ome.tif", tmp_path / "bad.tif"]
    worker = run(*files, write=("table",))
    record = write_reports(worker.job, worker.settings)
    assert record == json.loads((worker.job.folder / "run.json").read_text())
    assert [each["source"] for each in record["failed"]] == [str(files[1])]
    (image,) = record["images"]
    assert (image["planes"], image["axes"], len(image["results"])) == (3, ["time", "y", "x"], 6)

    table = rows(worker.job.folder / "summary.csv")
    assert [(row["time"], row["prompt"]) for row in table] == [
        (str(time), prompt) for time in range(3) for prompt in ("nuclei", "background")
    ]
    objects = rows(worker.job.folder / "movie-ome_objects.csv")
    for row in table:
        own = [
            each
            for each in objects
            if (each["time"], each["prompt"]) == (row["time"], row["prompt"])
        ]
        assert int(row["count"]) == len(own)
        area = sum(int(each["area"]) for each in own)
        assert int(row["area_pixels"]) == area
        assert float(row["area_µm2"]) == area / 4

    page = (worker.job.folder / "summary.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 3
    assert "http" not in page, "it needs no other file"
    assert "3 planes" in page
    assert "1 failed" in page
    assert "bad.tif" in page


def test_a_report_holds_what_other_jobs_are_not(run: Callable[..., Any], scene: Path) -> None:
    worker = run(scene)
    other = run(scene, output=scene.parent / "o", score="absolute")
    assert write_reports(worker.job, other.settings)["images"] == []


def test_rows_and_columns_of_a_plate_are_kept(run: Callable[..., Any], tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    plate = zarr.create_group(tmp_path / "p.ome.zarr")
    wells = [
        {"path": path, "rowIndex": 0, "columnIndex": n} for n, path in enumerate(["A/1", "A/2"])
    ]
    plate.attrs["ome"] = {"version": "0.5", "plate": {"wells": wells}}
    axes = [{"name": name, "type": "space"} for name in "yx"]
    scale = [{"type": "scale", "scale": [1.0, 1.0]}]
    for path in ("A/1", "A/2"):
        well = plate.create_group(path)
        well.attrs["ome"] = {"version": "0.5", "well": {"images": [{"path": "0"}]}}
        field = well.create_group("0")
        datasets = [{"path": "0", "coordinateTransformations": scale}]
        field.attrs["ome"] = {
            "version": "0.5",
            "multiscales": [{"axes": axes, "datasets": datasets}],
        }
        pixels = random.integers(0, 255, (40, 50), dtype=np.uint8)
        field.create_array("0", shape=pixels.shape, dtype=pixels.dtype)[...] = pixels
    worker = run(tmp_path / "p.ome.zarr", write=("maps",))
    write_reports(worker.job, worker.settings)
    table = rows(worker.job.folder / "summary.csv")
    assert [(row["row"], row["column"], row["field"]) for row in table] == [
        *[("A", "1", "0")] * 2,
        *[("A", "2", "0")] * 2,
    ]
    assert (worker.job.folder / "p-A-2-0_nuclei_heatmap.tif").is_file()
