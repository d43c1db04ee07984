from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import napari_clip_heatmap as nch
from napari_clip_heatmap.batch.collection.encoded_collection import image_of_item, read_collection
from napari_clip_heatmap.batch.encoded_images import search_encodings
from napari_clip_heatmap.batch.image_worker import ImageWorker
from napari_clip_heatmap.batch.run_job import plan_job
from napari_clip_heatmap.batch.run_settings import RunSettings
from napari_clip_heatmap.errors import ImageError


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job over a picture and a time-lapse of two slices, by the bundled model."""
    folder = tmp_path_factory.mktemp("encoded")
    random = np.random.default_rng(2)
    (folder / "images").mkdir()
    tifffile.imwrite(
        folder / "images" / "a.tif", random.integers(0, 255, (96, 120, 3), dtype=np.uint8)
    )
    tifffile.imwrite(
        folder / "images" / "movie.ome.tif",
        random.integers(0, 255, (2, 96, 96), dtype=np.uint8),
        metadata={"axes": "TYX"},
        photometric="minisblack",
    )
    job = plan_job(
        RunSettings(
            (str(folder / "images"),), (), folder / "out", device="cpu", write=("encodings",)
        )
    )
    worker = ImageWorker(nch.load_model("demo", device="cpu"), job.settings, job.folder)
    for image in job.images:
        assert worker.work(image).reason == ""
    return folder / "out"


def test_similarity_is_that_of_the_search(encoded: Path) -> None:
    (*_, collection) = read_collection(encoded)
    assert [item.name for item in collection.items] == ["a", "movie-ome_t0", "movie-ome_t1"]
    for words in ("cell nuclei", "filaments - background"):
        found = search_encodings(words, [item.path for item in collection.items])
        expected = [each.similarity for each in found]
        np.testing.assert_allclose(collection.similarity(words), expected, atol=1e-6)


def test_images_and_thumbnails_are_found(encoded: Path) -> None:
    (*_, collection) = read_collection(encoded)
    assert all(item.thumbnail is not None for item in collection.items)
    movie = tifffile.imread(encoded.parent / "images" / "movie.ome.tif")
    (channel,) = image_of_item(collection.items[2]).channels
    np.testing.assert_array_equal(np.asarray(channel.levels[0]), movie[1])
    encoding = collection.open(collection.items[2])
    assert encoding.image_shape == (96, 96)


def test_encodings_alone_are_a_set_too(encoded: Path, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a_encoding.zarr.zip"
    path.parent.mkdir()
    path.write_bytes((encoded / "a_encoding.zarr.zip").read_bytes())
    (tmp_path / "bad_encoding.zarr.zip").write_bytes(b"junk")
    (*_, collection) = read_collection(tmp_path)
    (item,) = collection.items
    assert (item.name, item.thumbnail, item.record) == ("a", None, None)
    assert len(collection.problems) == 1
    with pytest.raises(ImageError, match="clip-heatmap encode"):
        image_of_item(item)


def test_an_image_that_is_gone_is_said_to_be(encoded: Path, tmp_path: Path) -> None:
    (*_, collection) = read_collection(encoded)
    item: Any = collection.items[0]
    gone = {**item.record, "source": str(tmp_path / "gone.tif")}
    item = type(item)(item.path, item.name, item.embedding, None, gone)
    with pytest.raises(ImageError, match="not on this machine"):
        image_of_item(item)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.write_bytes(b"junk")])
def test_a_folder_without_encodings_is_refused(make: Callable[[Path], Any], tmp_path: Path) -> None:
    make(tmp_path / "bad_encoding.zarr.zip")
    with pytest.raises(ImageError):
        list(read_collection(tmp_path))
