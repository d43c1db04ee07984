"""Every format, through the door that they share."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import tifffile

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import OutputError
from napari_clip_heatmap.files.object_formats import object_suffixes

FILES = [".csv", ".geojson", ".tif", ".tiff", ".ome.tif"]


def test_the_formats_are_found_by_themselves():
    assert set(object_suffixes()) >= {*FILES, ".parquet", ".ome.zarr"}


@pytest.mark.parametrize("suffix", [*FILES, ".ome.zarr"])
def test_what_is_there_is_not_replaced_unless_it_may_be(tmp_path, objects, nothing, suffix):
    path = tmp_path / f"objects{suffix}"
    assert nch.write_objects(path, objects) == path
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(OutputError, match="already"):
        nch.write_objects(path, objects)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    nch.write_objects(path, nothing, overwrite=True)
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("name", ["objects", "objects.png", ".csv", "objects.csv.gz"])
def test_an_ending_that_is_not_known_is_refused(tmp_path, objects, name):
    with pytest.raises(OutputError, match=r"accepted: .*\.geojson"):
        nch.write_objects(tmp_path / name, objects)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", FILES)
def test_a_folder_that_is_not_there_is_said(tmp_path, objects, suffix):
    with pytest.raises(OutputError, match="could not be written"):
        nch.write_objects(tmp_path / "not there" / f"a{suffix}", objects)


@pytest.mark.parametrize("suffix", FILES)
def test_a_folder_of_that_name_is_left_alone(tmp_path, objects, suffix):
    folder = tmp_path / f"a{suffix}"
    folder.mkdir()
    with pytest.raises(OutputError, match="already"):
        nch.write_objects(folder, objects, overwrite=True)
    assert folder.is_dir()


def test_a_failure_leaves_what_was_there(tmp_path, objects, monkeypatch):
    path = nch.write_objects(tmp_path / "a.csv", objects)
    before = path.read_bytes()
    monkeypatch.setattr(
        "napari_clip_heatmap.files.object_formats.objects_csv._cell", lambda value: 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        nch.write_objects(path, objects, overwrite=True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_csv_is_the_table(tmp_path, objects):
    path = nch.write_objects(tmp_path / "a.csv", objects, source="slide, 1.tif")
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["prompt"] for row in rows] == ["red | rbc", "nuclei", "red | rbc", "nuclei"]
    assert [int(row["label"]) for row in rows] == [1, 2, 3, 4]
    assert [row["mean"] for row in rows] == ["0.25", "", "0.75", "1.0"]
    assert {row["source"] for row in rows} == {"slide, 1.tif"}


def test_no_objects_are_a_table_without_rows(tmp_path, nothing):
    path = nch.write_objects(tmp_path / "a.csv", nothing)
    assert path.read_text("utf-8").splitlines() == ["label,prompt,area,mean,verdict"]


def test_parquet_is_the_table_with_its_record(tmp_path, objects):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = nch.write_objects(tmp_path / "a.parquet", objects, source="slide.tif")
    table = parquet.read_table(path)
    assert table.column_names == list(objects.table.names)
    assert table["label"].to_pylist() == [1, 2, 3, 4]
    assert table["prompt"].to_pylist() == objects.table["prompt"].tolist()
    record = json.loads(table.schema.metadata[b"clip_heatmap"])
    assert record["source"] == "slide.tif"
    assert record["score"] == "relative"


def test_parquet_without_its_package_says_what_to_do(tmp_path, objects, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(OutputError, match="pyarrow, which is not installed here; install it"):
        nch.write_objects(tmp_path / "a.parquet", objects)


def test_scored_objects_are_written_like_found_ones(tmp_path):
    model = nch.load_model("demo", device="cpu")
    rng = np.random.default_rng(0)
    encoding = nch.encode(model, rng.integers(0, 256, (96, 96, 3), np.uint8))
    labels = np.zeros((96, 96), np.uint16)
    labels[10:40, 10:40], labels[50:80, 30:90] = 5, 9
    scores = nch.score_objects(encoding, labels, ["nuclei", "bacteria"])
    for suffix in object_suffixes():
        if suffix != ".parquet":
            assert nch.write_objects(tmp_path / f"a{suffix}", scores).exists()
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), labels)
