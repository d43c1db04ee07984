from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image
from yaozarrs import validate_zarr_store

from napari_clip_heatmap.cli import app
from napari_clip_heatmap.errors import OutputError
from napari_clip_heatmap.files.sample_files import SAMPLE_FILES, read_nuclei, write_samples
from napari_clip_heatmap.scenes.sample import sample_channels, sample_scene, sample_slide


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder)
    return folder


def test_all_are_written(folder):
    assert {path.name for path in folder.iterdir()} == set(SAMPLE_FILES)
    assert len(list((folder / "smears").iterdir())) == 3


def test_pixels_come_back(folder):
    np.testing.assert_array_equal(tifffile.imread(folder / "cells.tif"), sample_scene())
    np.testing.assert_array_equal(tifffile.imread(folder / "channels.ome.tif"), sample_channels())
    with Image.open(folder / "tissue.png") as tissue:
        assert tissue.mode == "RGB"
    with Image.open(folder / "nuclei.png") as nuclei:
        np.testing.assert_array_equal(np.asarray(nuclei), read_nuclei())


def test_metadata_say_what_is_there(folder):
    with tifffile.TiffFile(folder / "channels.ome.tif") as file:
        assert file.series[0].axes == "CYX"
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert pixels["PhysicalSizeX"] == 0.2
    assert [channel["Name"] for channel in pixels["Channel"]] == ["DAPI", "TOM20", "phalloidin"]
    for name, axes in (("stack.ome.tif", "ZYX"), ("timelapse.ome.tif", "TYX")):
        with tifffile.TiffFile(folder / name) as file:
            assert file.series[0].axes == axes


def test_the_slide_is_a_pyramid(folder):
    with tifffile.TiffFile(folder / "slide.ome.tif") as file:
        levels = file.series[0].levels
        assert [level.shape[:2] for level in levels] == [(1024, 1536), (512, 768), (256, 384)]
        np.testing.assert_array_equal(levels[0].asarray(), sample_slide())


def test_the_plate_is_valid(folder):
    validate_zarr_store(folder / "plate.ome.zarr")


def test_samples_are_not_replaced_in_silence(folder):
    before = (folder / "cells.tif").stat().st_mtime_ns
    with pytest.raises(OutputError, match="--overwrite"):
        write_samples(folder)
    assert (folder / "cells.tif").stat().st_mtime_ns == before
    write_samples(folder, overwrite=True)


def test_the_command_names_each_file(tmp_path):
    from typer.testing import CliRunner

    done = CliRunner().invoke(app, ["samples", str(tmp_path / "here")])
    assert done.exit_code == 0, done.output
    assert all(name in done.output for name in SAMPLE_FILES)
