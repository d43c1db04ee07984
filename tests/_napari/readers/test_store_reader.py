"""Files of this package, opened through napari's reader machinery."""

from __future__ import annotations

import zarr

from napari_clip_heatmap._napari.readers.store_reader import get_reader


def test_napari_takes_all_of_them(read, job, make_napari_viewer):
    viewer = make_napari_viewer()
    for path in ("cells.ome.zarr", "cells_encoding.zarr.zip"):
        for data, options, kind in read(job / "out" / path):
            getattr(viewer, f"add_{kind}")(data, **options)
    shapes = {layer.name: layer.extent.world.round(3).tolist() for layer in viewer.layers}
    assert len(shapes) == 7
    assert len({str(extent) for extent in shapes.values()}) == 1  # all lie on one another


def test_other_stores_and_folders_are_left_to_other_readers(read, job, tmp_path):
    zarr.create_group(tmp_path / "other.zarr")
    (tmp_path / "text.zarr.zip").write_text("no zip file")
    others = ("other.zarr", "text.zarr.zip")
    for path in (tmp_path, *(tmp_path / name for name in others)):
        assert read(path) is None
    assert get_reader(str(job / "out" / "cells.ome.zarr" / "labels" / "nuclei")) is None
    assert get_reader([str(job / "out" / "cells.ome.zarr"), str(tmp_path)]) is None
