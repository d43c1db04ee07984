from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import napari_clip_heatmap as nch
from napari_clip_heatmap._napari.controllers.collection import opened_image
from napari_clip_heatmap._napari.controllers.collection.opened_image import read_item
from napari_clip_heatmap.annotation.geometry import PixelSize
from napari_clip_heatmap.batch.collection.encoded_collection import ItemImage
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.pipeline.scoring import build_scoring

PIXELS = np.random.default_rng(0).integers(0, 255, (120, 150), dtype=np.uint8)


@pytest.fixture(scope="module")
def collection() -> Any:
    model = nch.load_model("demo", device="cpu")
    encoding = nch.encode(model, PIXELS)
    return SimpleNamespace(
        open=lambda item: encoding,
        scoring=lambda words: build_scoring(model.text, [words], "relative"),
    )


ITEM: Any = SimpleNamespace(name="cells")


def image_of(level: Any, size: PixelSize | None = None) -> ItemImage:
    return ItemImage([Channel((level,))], size)


def test_channels_look_as_the_model_saw_them(
    collection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    green = np.array([[0, 0, 0], [0, 1, 0]], np.float32)
    shown = [Channel((PIXELS,), limits=(10, 90), lut=green), Channel((PIXELS,), limits=(0, 50))]
    monkeypatch.setattr(opened_image, "image_of_item", lambda item: ItemImage(shown, None))
    opened = read_item(collection, ITEM, "nuclei")
    first, second, heatmap = opened.layers
    assert first["contrast_limits"] == (10, 90)
    np.testing.assert_array_equal(first["colormap"], green)
    assert {first["blending"], second["blending"]} == {"additive"}
    assert heatmap["name"] == "nuclei"
    assert opened.message == "cells is open"


def test_large_levels_are_read_where_they_are_looked_at(
    collection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    class Level:
        shape, dtype = PIXELS.shape, PIXELS.dtype

        def __getitem__(self, key: Any) -> Any:
            read.append(key)
            return PIXELS[key]

    monkeypatch.setattr(opened_image, "_LAZY", 100)
    monkeypatch.setattr(opened_image, "_CHUNK", 64)
    monkeypatch.setattr(opened_image, "image_of_item", lambda item: image_of(Level()))
    (layer,) = read_item(collection, ITEM, "").layers
    assert read == []
    np.testing.assert_array_equal(np.asarray(layer["data"][70:100, 10:50]), PIXELS[70:100, 10:50])
    assert len(read) == 1
    np.testing.assert_array_equal(np.asarray(layer["data"]), PIXELS)


def test_without_the_image_the_map_alone_is_open(
    collection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(item: Any) -> Any:
        raise ImageError("the image is not on this machine")

    monkeypatch.setattr(opened_image, "image_of_item", gone)
    opened = read_item(collection, ITEM, "nuclei")
    assert [layer["name"] for layer in opened.layers] == ["nuclei"]
    assert "not on this machine" in opened.message
    with pytest.raises(ImageError, match="not on this machine"):
        read_item(collection, ITEM, "")


def test_the_map_of_a_large_image_lies_on_it(
    collection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened_image, "_LARGEST_MAP", 50)
    monkeypatch.setattr(opened_image, "image_of_item", lambda item: image_of(PIXELS))
    heatmap = read_item(collection, ITEM, "nuclei").layers[-1]
    assert heatmap["data"].shape == (40, 50)
    assert heatmap["scale"] == (3, 3)
    assert heatmap["translate"] == (1, 1)
    monkeypatch.setattr(opened_image, "_LARGEST_MAP", 40)  # 4 image pixels, and 150 is no multiple
    heatmap = read_item(collection, ITEM, "nuclei").layers[-1]
    assert heatmap["data"].shape == (30, 38)
    edges = (np.array([30, 38]) - 0.5) * heatmap["scale"] + heatmap["translate"]
    np.testing.assert_allclose(edges, np.array(PIXELS.shape) - 0.5)


def test_a_measured_image_and_its_map_have_its_scale(
    collection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = PixelSize(0.5, 0.25, "micrometer")
    monkeypatch.setattr(opened_image, "_LARGEST_MAP", 50)
    monkeypatch.setattr(opened_image, "image_of_item", lambda item: image_of(PIXELS, size))
    image, heatmap = read_item(collection, ITEM, "nuclei").layers
    np.testing.assert_array_equal(image["scale"], (0.5, 0.25))
    np.testing.assert_array_equal(heatmap["scale"], (1.5, 0.75))
    np.testing.assert_array_equal(heatmap["translate"], (0.5, 0.25))
    assert image["units"] == heatmap["units"] == ("µm", "µm")
