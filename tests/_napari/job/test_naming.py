"""Objects of a stack that exist already: named by slice or all, and written."""

from __future__ import annotations

import json
from types import SimpleNamespace

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr

import napari_clip_heatmap as nch
from napari_clip_heatmap._napari.job.naming import NamingRequest
from napari_clip_heatmap.errors import OutputError
from napari_clip_heatmap.pipeline.encode import encode

PROMPTS = ("red", "green")


@pytest.fixture
def encodings(model, stripes):
    """Of two slices; the second is the first in the mirror."""
    pictures = {(0,): stripes, (1,): np.ascontiguousarray(stripes[:, ::-1])}
    return {index: encode(model, each, downsample=1) for index, each in pictures.items()}


@pytest.fixture(params=[np.asarray, da.from_array])
def labels(request):
    """One object in each stripe of each slice, numbered through."""
    stack = np.zeros((2, 96, 128), np.uint16)
    for number, (plane, left) in enumerate(((0, 8), (0, 80), (1, 8), (1, 80)), start=1):
        stack[plane, 24:64, left : left + 32] = number
    return request.param(stack)


def naming(encodings, labels, *, index=(1,), all_slices):
    asked = SimpleNamespace(prompts=PROMPTS, templates="plain")
    return NamingRequest(labels, encodings, asked, (2,), index, all_slices=all_slices)


def test_all_slices_are_named_each_by_its_own_encoding(encodings, labels):
    scores = naming(encodings, labels, all_slices=True).score()
    assert scores.best == ("red", "green", "green", "red")


def test_of_one_slice_only_its_objects_are_named(encodings, labels):
    scores = naming(encodings, labels, all_slices=False).score()
    assert dict(zip(scores.label.tolist(), scores.best, strict=True)) == {3: "green", 4: "red"}


def test_names_of_one_slice_are_written_in_every_format(encodings, labels, tmp_path):
    scores = naming(encodings, labels, all_slices=False).score()
    plane = np.asarray(labels)[1]
    for suffix in (".csv", ".geojson", ".tif", ".ome.zarr"):
        nch.write_objects(tmp_path / f"named{suffix}", scores, source="stack")
    features = json.loads((tmp_path / "named.geojson").read_text())["features"]
    assert [each["properties"]["classification"]["name"] for each in features] == ["green", "red"]
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "named.tif"), plane)
    group = zarr.open_group(tmp_path / "named.ome.zarr", mode="r")
    for name, number in (("green", 3), ("red", 4)):
        np.testing.assert_array_equal(group[f"labels/{name}/0"][:] == number, plane == number)
    assert len((tmp_path / "named.csv").read_text().splitlines()) == 3


def test_names_of_all_slices_are_written_where_the_format_holds_a_stack(
    encodings, labels, tmp_path
):
    scores = naming(encodings, labels, all_slices=True).score()
    nch.write_objects(tmp_path / "named.csv", scores)
    assert len((tmp_path / "named.csv").read_text().splitlines()) == 5
    nch.write_objects(tmp_path / "named.tif", scores)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "named.tif"), np.asarray(labels))
    with pytest.raises(OutputError, match="a plane at a time"):
        nch.write_objects(tmp_path / "named.geojson", scores)
    assert not (tmp_path / "named.geojson").exists()
