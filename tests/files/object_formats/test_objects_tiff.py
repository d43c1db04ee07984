"""Every format, through the door that they share."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import tifffile

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import OutputError

FILES = [".csv", ".geojson", ".tif", ".tiff", ".ome.tif"]


@pytest.mark.parametrize("suffix", [".tif", ".tiff", ".ome.tif", ".ome.tiff"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
@pytest.mark.parametrize("shape", [(90, 70), (513, 1025), (3, 90, 70), (2, 3, 40, 50)])
def test_a_tiff_holds_the_labels(tmp_path, make, suffix, dtype, shape):
    labels = np.random.default_rng(0).integers(0, 9, shape).astype(dtype)
    path = nch.write_objects(tmp_path / f"a{suffix}", make(labels, ["x"]))
    read = tifffile.imread(path)
    assert read.dtype == (np.uint32 if dtype == np.uint64 and "ome" in suffix else dtype)
    np.testing.assert_array_equal(read, labels)


def test_a_label_that_ome_tiff_cannot_hold_is_refused(tmp_path, make):
    labels = np.array([[2**32, 1]])
    objects = make(labels.clip(0, 2), ["x"])
    objects.table["label"][1] = 2**32
    object.__setattr__(objects, "labels", labels)
    with pytest.raises(OutputError, match=r"4294967296; write a plain \.tif"):
        nch.write_objects(tmp_path / "a.ome.tif", objects)
    path = nch.write_objects(tmp_path / "a.tif", objects)
    np.testing.assert_array_equal(tifffile.imread(path), labels)


def test_a_tiff_of_lazy_labels_is_the_same(tmp_path, make):
    labels = np.random.default_rng(0).integers(0, 9, (600, 700)).astype(np.int32)
    objects = make(labels, ["x"])
    object.__setattr__(objects, "labels", da.from_array(labels, chunks=(100, 300)))
    path = nch.write_objects(tmp_path / "a.tif", objects)
    np.testing.assert_array_equal(tifffile.imread(path), labels)


def test_a_tiff_tells_where_it_comes_from(tmp_path, objects):
    path = nch.write_objects(tmp_path / "a.tif", objects, source="slide.tif")
    with tifffile.TiffFile(path) as tiff:
        record = tiff.shaped_metadata[0]["clip_heatmap"]
    assert record["source"] == "slide.tif"
    assert record["model"]["name"] == "demo"


def test_an_ome_tiff_tells_the_size_of_a_pixel(tmp_path, objects):
    path = nch.write_objects(tmp_path / "a.ome.tif", objects)
    with tifffile.TiffFile(path) as tiff:
        pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
        assert tiff.series[0].axes == "YX"
    assert (pixels["PhysicalSizeY"], pixels["PhysicalSizeX"]) == (0.5, 0.25)
    assert pixels["PhysicalSizeXUnit"] == "µm"
