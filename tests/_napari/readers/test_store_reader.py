"""Files of this package, opened through napari's reader machinery."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import imageio.v3 as iio
import npe2
import numpy as np
import pytest
import zarr
from typer.testing import CliRunner

import napari_clip_heatmap as nch
from napari_clip_heatmap._napari.readers import encoding_layers
from napari_clip_heatmap._napari.readers.store_reader import get_reader
from napari_clip_heatmap.cli import app
from napari_clip_heatmap.errors import ImageError

MANIFEST = Path(nch.__file__).with_name("napari.yaml")


@pytest.fixture
def read():
    """What File > Open gets for a path, from the manifest on."""
    plugins = npe2.PluginManager()
    manifest = npe2.PluginManifest.from_file(MANIFEST)
    plugins.register(manifest)
    plugins.activate(manifest.name)

    def read(path):
        (reader,) = plugins.iter_compatible_readers([str(path)])
        found = reader.exec(
            kwargs={"path": [str(path)], "stack": False, "_registry": plugins.commands}
        )
        return None if found is None else found([str(path)], stack=False)

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


@pytest.fixture
def shown(monkeypatch):
    """What the user is told."""
    texts = []
    for name in ("show_info", "show_warning"):
        monkeypatch.setattr(encoding_layers, name, texts.append)
    return texts


@pytest.fixture(scope="module")
def expected(image):
    encoding = nch.encode(nch.load_model("demo", device="cpu"), image)
    return encoding.heatmaps(["nuclei", "filaments"], "absolute").values


def by_name(layers):
    return {options["name"]: (data, options, kind) for data, options, kind in layers}


def test_maps_come_with_their_prompts_on_the_image(read, job, expected):
    layers = read(job / "out" / "cells.ome.zarr")
    assert [options["name"] for _, options, _ in layers][-2:] == ["filaments", "nuclei"]
    found = by_name(layers)
    for number, prompt in enumerate(["nuclei", "filaments"]):
        data, options, kind = found[prompt]
        np.testing.assert_allclose(np.asarray(data), expected[number], atol=1e-6)
        low, high = options["contrast_limits"]
        assert low <= np.nanmin(data) < np.nanmax(data) <= high
        assert kind == "image"
        assert options["colormap"] == "jet"
        assert options["visible"] == (number == 0)
        assert options["metadata"]["clip_heatmap"]["prompt"] == prompt


def test_labels_come_with_their_measurements(read, job):
    layers = by_name(read(job / "out" / "cells.ome.zarr"))
    data, options, kind = layers["nuclei objects"]
    assert kind == "labels"
    numbers = {*np.unique(np.asarray(data)).tolist()} - {0}
    assert {*options["features"]["index"]} == numbers
    assert {"area", "prompt"} <= {*options["features"].columns}


def test_napari_takes_all_of_them(read, job, make_napari_viewer):
    viewer = make_napari_viewer()
    for path in ("cells.ome.zarr", "cells_encoding.zarr.zip"):
        for data, options, kind in read(job / "out" / path):
            getattr(viewer, f"add_{kind}")(data, **options)
    shapes = {layer.name: layer.extent.world.round(3).tolist() for layer in viewer.layers}
    assert len(shapes) == 7
    assert len({str(extent) for extent in shapes.values()}) == 1  # all lie on one another


def test_an_encoding_comes_with_its_image_and_the_jobs_prompts(read, job, image, expected, shown):
    layers = read(job / "out" / "cells_encoding.zarr.zip")
    assert [options["name"] for _, options, _ in layers] == ["cells", "filaments", "nuclei"]
    np.testing.assert_array_equal(layers[0][0], image)
    np.testing.assert_allclose(layers[2][0], expected[0], atol=1e-6)
    assert not shown


@pytest.mark.parametrize("name", ["one.zarr", "one.zarr.zip"])
def test_without_its_image_a_picture_of_the_encoding_is_shown(
    read, image, tmp_path, shown, monkeypatch, name
):
    half = image.copy()
    half[:, :65] = 240
    encoding = nch.encode(nch.load_model("demo", device="cpu"), half)
    saved = type("Saved", (), {"prompts": "nuclei", "score": "balanced", "templates": "plain"})
    monkeypatch.setattr("napari_clip_heatmap._napari.settings.section", saved)
    (picture, options, _), (values, of_map, _) = read(encoding.save(tmp_path / name))
    assert picture.shape == image.shape
    left, right = picture[:, 10:45].astype(int), picture[:, 85:120].astype(int)
    assert abs(left.mean((0, 1)) - right.mean((0, 1))).max() > 60  # other content, other colors
    assert options["rgb"]
    assert of_map["name"] == "nuclei"
    np.testing.assert_allclose(values, encoding.heatmaps(["nuclei"], "balanced").values[0])
    assert "is not known" in shown[0]


def test_without_words_it_says_where_to_type_them(read, image, tmp_path, shown):
    encoding = nch.encode(nch.load_model("demo", device="cpu"), image)
    assert len(read(encoding.save(tmp_path / "one.zarr"))) == 1
    assert "Encoded images (CLIP)" in shown[-1]


def test_a_model_that_is_not_here_leaves_the_image(read, job, tmp_path, shown):
    folder = tmp_path / "out"
    shutil.copytree(job / "out", folder)
    encoding = nch.open_encoding(folder / "cells_encoding.zarr.zip")
    encoding.model["name"] = "local-dir:/nowhere"
    encoding.save(folder / "cells_encoding.zarr.zip", overwrite=True)
    assert len(read(folder / "cells_encoding.zarr.zip")) == 1
    assert "No maps are shown" in shown[-1]


def test_other_stores_and_folders_are_left_to_other_readers(read, job, tmp_path):
    zarr.create_group(tmp_path / "other.zarr")
    (tmp_path / "text.zarr.zip").write_text("no zip file")
    others = ("other.zarr", "text.zarr.zip")
    for path in (tmp_path, *(tmp_path / name for name in others)):
        assert read(path) is None
    assert get_reader(str(job / "out" / "cells.ome.zarr" / "labels" / "nuclei")) is None
    assert get_reader([str(job / "out" / "cells.ome.zarr"), str(tmp_path)]) is None


def test_damage_is_said(read, job, tmp_path):
    path = tmp_path / "maps.ome.zarr"
    shutil.copytree(job / "out" / "cells.ome.zarr", path)
    about = json.loads((path / "zarr.json").read_text())
    about["attributes"]["ome"]["multiscales"] = []
    (path / "zarr.json").write_text(json.dumps(about))
    with pytest.raises(ImageError, match=r"maps\.ome\.zarr.*damaged"):
        read(path)
    encoding = nch.open_encoding(job / "out" / "cells_encoding.zarr.zip")
    saved = encoding.save(tmp_path / "one.zarr")
    record = json.loads((saved / "zarr.json").read_text())
    record["attributes"]["sha256"] = "0"
    (saved / "zarr.json").write_text(json.dumps(record))
    with pytest.raises(ImageError, match="damaged"):
        read(saved)
