"""Each kind of output, read back by the program it is for, or a library of its format."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import tifffile

import napari_clip_heatmap as nch

STACK = np.random.default_rng(0).integers(0, 255, (3, 2, 40, 50), dtype=np.uint8)
KINDS = ("maps", "overlays", "labels", "points", "shapes", "geojson", "table", "encodings")


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    path = tmp_path / "movie.ome.tif"
    size = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5}
    tifffile.imwrite(path, STACK, metadata={"axes": "TZYX", **size}, photometric="minisblack")
    return path


@pytest.fixture
def written(run: Callable[..., Any], movie: Path) -> Path:
    folder: Path = run(movie, write=KINDS).job.folder
    return folder


def maps_of(model: Any, index: tuple[int, ...]) -> Any:
    return nch.encode(model, STACK[index], downsample=1.0).heatmaps(("nuclei", "background"))


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


def test_stacks_are_stacks_with_named_axes(written: Path, tiny_model: Any) -> None:
    with tifffile.TiffFile(written / "movie-ome_nuclei_heatmap.tif") as tiff:
        assert (tiff.series[0].axes, tiff.series[0].shape) == ("TZYX", STACK.shape)
        assert tiff.pages[0].tags["XResolution"].value == (40000, 1)
        assert tiff.pages[0].tags["YResolution"].value == (20000, 1)
        assert tiff.pages[0].tags["ResolutionUnit"].value == 3
        assert int(tiff.pages[0].compression) == 8
        values = tiff.series[0].asarray()
    with tifffile.TiffFile(written / "movie-ome_nuclei_labels.tif") as tiff:
        labels = tiff.series[0].asarray()
    assert labels.dtype == np.int32
    for index in np.ndindex(3, 2):
        maps = maps_of(tiny_model, index)
        np.testing.assert_allclose(values[index], maps.values[0], atol=1e-6)
        np.testing.assert_array_equal(labels[index], maps.objects("nuclei").labels)


def test_tables_points_and_shapes_have_all_axes(written: Path, tiny_model: Any) -> None:
    table = rows(written / "movie-ome_objects.csv")
    assert table[0][:4] == ["time", "z", "label", "prompt"]
    maps = maps_of(tiny_model, (2, 1))
    n_own = sum(len(maps.objects(prompt)) for prompt in maps.prompts)
    assert sum(row[:2] == ["2", "1"] for row in table) == n_own
    points = rows(written / "movie-ome_points.csv")
    assert points[0][:5] == ["index", "axis-0", "axis-1", "axis-2", "axis-3"]
    own = [row for row in points if row[1:3] == ["2", "1"] and row[5] == "nuclei"]
    expected = maps.peaks("nuclei").positions
    np.testing.assert_allclose(np.array([row[3:5] for row in own], float), expected, atol=1e-3)
    shapes = rows(written / "movie-ome_nuclei_shapes.csv")
    assert shapes[0] == ["index", "shape-type", "vertex-index", *(f"axis-{n}" for n in range(4))]


def test_napari_opens_points_and_shapes(written: Path) -> None:
    from napari_builtins.io import csv_to_layer_data

    for name, kind in (("points", "points"), ("nuclei_shapes", "shapes")):
        data, _, layer = csv_to_layer_data(str(written / f"movie-ome_{name}.csv"))
        assert layer == kind
        assert np.asarray(data[0]).shape[-1] == 4


def test_polygons_are_those_of_the_labels(written: Path) -> None:
    labels = tifffile.imread(written / "movie-ome_nuclei_labels.tif")[1, 0]
    content = json.loads((written / "movie-ome_t1_z0_nuclei_objects.geojson").read_text())
    assert content["type"] == "FeatureCollection"
    areas = []
    for feature in content["features"]:
        assert feature["type"] == "Feature"
        assert feature["properties"]["classification"]["name"] == "nuclei"
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.is_valid
        areas.append(int(shape.area))
    assert areas == np.bincount(labels.ravel())[1:].tolist()


def test_encodings_answer_the_same(written: Path, tiny_model: Any) -> None:
    encoding = nch.open_encoding(written / "movie-ome_t2_z1_encoding.zarr.zip", model=tiny_model)
    maps = encoding.heatmaps(("nuclei", "background"))
    np.testing.assert_allclose(maps.values, maps_of(tiny_model, (2, 1)).values, atol=1e-6)
