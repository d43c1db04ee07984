"""A job of one image, and what napari's reader machinery gets from its files."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import npe2
import numpy as np
import pytest
from typer.testing import CliRunner

import napari_clip_heatmap as nch
from napari_clip_heatmap.cli import app

MANIFEST = Path(nch.__file__).with_name("napari.yaml")


@pytest.fixture
def read():
    """What File > Open gets for a path, from the manifest on."""
    plugins = npe2.PluginManager()
    manifest = npe2.PluginManifest.from_file(MANIFEST)
    plugins.register(manifest)
    plugins.activate(manifest.name)

    def read(path):
        chosen = str(path / "zarr.json" if path.is_dir() else path)
        (reader,) = plugins.iter_compatible_readers([chosen])
        found = reader.exec(
            kwargs={"path": [chosen], "stack": False, "_registry": plugins.commands}
        )
        return None if found is None else found([chosen], stack=False)

    return read


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 255, (96, 130, 3), np.uint8)


@pytest.fixture(scope="module")
def job(image, tmp_path_factory):
    """A folder with maps, labels and the encoding of one image."""
    folder = tmp_path_factory.mktemp("job")
    iio.imwrite(folder / "cells.png", image)
    words = ["-p", "nuclei", "-p", "filaments"]
    what = ["--write", "maps,labels,encodings", "--format", "ome-zarr", "--score", "absolute"]
    command = ["run", str(folder / "cells.png"), *words, *what, "-o", str(folder / "out")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="module")
def expected(image):
    encoding = nch.encode(nch.load_model("demo", device="cpu"), image)
    return encoding.heatmaps(["nuclei", "filaments"], "absolute").values
