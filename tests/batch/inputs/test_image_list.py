from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_clip_heatmap.batch.inputs.batch_image import ImageEntry
from napari_clip_heatmap.batch.inputs.image_list import find_sources, list_images, open_image
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.picture_choice import PictureChoice

ALL = PictureChoice()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b" / "deep").mkdir(parents=True)
    for name in ("z.png", "a.PNG", ".hidden.png", "b/c.png", "b/deep/d.png"):
        Image.new("L", (9, 8), 99).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image")
    zarr.create_array(tmp_path / "s.zarr", shape=(8, 9), dtype="u1")
    return tmp_path


def names(paths: list[Path], folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in paths]


def test_folders_globs_and_files(folder: Path) -> None:
    found = find_sources([str(folder)])
    assert names(found, folder) == ["a.PNG", "s.zarr", "z.png"]
    deep = find_sources([str(folder)], recursive=True)
    assert names(deep, folder) == ["a.PNG", "b/c.png", "b/deep/d.png", "s.zarr", "z.png"]
    globbed = find_sources([str(folder / "b" / "**" / "*.png"), str(folder / "z.png")])
    assert names(globbed, folder) == ["b/c.png", "b/deep/d.png", "z.png"]
    twice = find_sources([str(folder / "z.png"), str(folder / "*.png")])
    assert names(twice, folder) == ["z.png"]


def test_what_is_not_there(folder: Path) -> None:
    with pytest.raises(ImageError, match="no file matches"):
        find_sources([str(folder / "*.tif")])
    missing = find_sources([str(folder / "no.tif")])
    (entry,) = list_images(missing[0], ALL)
    with pytest.raises(ImageError, match=r"no\.tif"):
        open_image(entry, ALL)
    (folder / "empty").mkdir()
    (entry,) = list_images(find_sources([str(folder / "empty")])[0], ALL)
    with pytest.raises(ImageError, match="--recursive"):
        open_image(entry, ALL)


def test_a_file_is_told_by_what_it_holds(folder: Path) -> None:
    tifffile.imwrite(folder / "tiff.png", np.zeros((8, 9), np.uint8))
    np.save(folder / "array.npy", np.zeros((2, 8, 9), np.uint8))
    readers = {
        name: list_images(folder / name, ALL)[0].reader
        for name in ("tiff.png", "array.npy", "z.png", "s.zarr")
    }
    assert readers == {
        "tiff.png": "tiff",
        "array.npy": "array",
        "z.png": "picture",
        "s.zarr": "zarr",
    }


def test_a_damaged_file_is_one_image_that_fails(folder: Path) -> None:
    (folder / "bad.tif").write_bytes(b"II*\0\xff\xff\xff\xff")
    (entry,) = list_images(folder / "bad.tif", ALL)
    assert entry == ImageEntry(str(folder / "bad.tif"), "", "tiff")
    with pytest.raises(ImageError, match=r"bad\.tif"):
        open_image(entry, ALL)
