"""Files of this package, opened through napari's reader machinery."""

from __future__ import annotations

from pathlib import Path

import npe2
import numpy as np
import tifffile
import zarr
from napari.components import ViewerModel
from typer.testing import CliRunner

import napari_clip_heatmap as nch
from napari_clip_heatmap._napari.readers.store_reader import get_reader
from napari_clip_heatmap.cli import app

MANIFEST = Path(nch.__file__).with_name("napari.yaml")


def test_napari_takes_all_of_them(read, job, make_napari_viewer):
    viewer = make_napari_viewer()
    for path in ("cells.ome.zarr", "cells_encoding.zarr.zip"):
        for data, options, kind in read(job / "out" / path):
            getattr(viewer, f"add_{kind}")(data, **options)
    shapes = {layer.name: layer.extent.world.round(3).tolist() for layer in viewer.layers}
    assert len(shapes) == 7
    assert len({str(extent) for extent in shapes.values()}) == 1  # all lie on one another


def test_encodings_and_maps_of_a_measured_image_lie_on_one_another(read, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (96, 130), np.uint8)
    size = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5}
    units = {"PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
    tifffile.imwrite(tmp_path / "cells.ome.tif", pixels, metadata={"axes": "YX", **size, **units})
    what = ["--write", "maps,encodings", "--format", "ome-zarr", "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(app, ["run", str(tmp_path / "cells.ome.tif"), "-p", "nuclei", *what])
    assert done.exit_code == 0, done.output
    viewer = ViewerModel()
    for path in sorted((tmp_path / "out").glob("*.zarr*")):
        for data, options, _ in read(path):
            viewer.add_image(data, **options)
    assert len(viewer.layers) == 3
    for layer in viewer.layers:
        assert [str(unit) for unit in layer.units] == ["micrometer"] * 2
        np.testing.assert_allclose(layer.scale, (0.5, 0.25))
        np.testing.assert_allclose(layer.translate, 0)


def test_other_stores_and_folders_are_left_to_other_readers(read, job, tmp_path):
    zarr.create_group(tmp_path / "other.zarr")
    (tmp_path / "text.zarr.zip").write_text("no zip file")
    others = ("other.zarr", "text.zarr.zip")
    (tmp_path / "zarr.json").write_text("{}")
    for path in (tmp_path, *(tmp_path / name for name in others)):
        assert read(path) is None
    assert get_reader(str(job / "out" / "cells.ome.zarr" / "labels" / "nuclei")) is None
    assert get_reader([str(job / "out" / "cells.ome.zarr"), str(tmp_path)]) is None


def test_napari_asks_nothing_when_a_folder_is_opened(tmp_path):
    """A second reader of folders would make napari ask for each folder which one to use."""
    plugins = npe2.PluginManager()
    plugins.register(npe2.PluginManifest.from_file(MANIFEST))
    (tmp_path / "maps.ome.zarr").mkdir()
    for path in (tmp_path, tmp_path / "maps.ome.zarr", tmp_path / "a.json", tmp_path / "a.zip"):
        assert not list(plugins.iter_compatible_readers([str(path)]))
