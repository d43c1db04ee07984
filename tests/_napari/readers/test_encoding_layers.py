from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import napari_clip_heatmap as nch
from napari_clip_heatmap._napari.readers import encoding_layers
from napari_clip_heatmap.errors import ImageError


@pytest.fixture
def shown(monkeypatch):
    """What the user is told."""
    texts = []
    for name in ("show_info", "show_warning"):
        monkeypatch.setattr(encoding_layers, name, texts.append)
    return texts


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
    assert "Encoded images" in shown[-1]


def test_a_model_that_is_not_here_leaves_the_image(read, job, tmp_path, shown):
    folder = tmp_path / "out"
    shutil.copytree(job / "out", folder)
    encoding = nch.open_encoding(folder / "cells_encoding.zarr.zip")
    encoding.model["name"] = "local-dir:/nowhere"
    encoding.save(folder / "cells_encoding.zarr.zip", overwrite=True)
    assert len(read(folder / "cells_encoding.zarr.zip")) == 1
    assert "No maps are shown" in shown[-1]


def test_damage_is_said(read, job, tmp_path):
    encoding = nch.open_encoding(job / "out" / "cells_encoding.zarr.zip")
    saved = encoding.save(tmp_path / "one.zarr")
    record = json.loads((saved / "zarr.json").read_text())
    record["attributes"]["sha256"] = "0"
    (saved / "zarr.json").write_text(json.dumps(record))
    with pytest.raises(ImageError, match="damaged"):
        read(saved)
