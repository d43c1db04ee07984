from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.image_file import read_image

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_tiff_is_read_as_it_is(tmp_path: Path, dtype: type) -> None:
    pixels = np.arange(12, dtype=dtype).reshape(3, 4)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    image = read_image(tmp_path / "a.tif")
    assert image.dtype == dtype
    np.testing.assert_array_equal(image, pixels)


def test_planar_colours_come_last(tmp_path: Path) -> None:
    pixels = np.arange(3 * 20 * 30, dtype=np.uint8).reshape(3, 20, 30)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), np.moveaxis(pixels, 0, -1))


def test_pictures_and_arrays(tmp_path: Path) -> None:
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    imageio.imwrite(tmp_path / "a.png", pixels)
    np.save(tmp_path / "a.npy", pixels)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), pixels)
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy"), pixels)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg", "a.npy", "a.txt"])
@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n", b"II*\x00"])
def test_what_is_no_image_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError, match=name):
        read_image(tmp_path / name)


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ImageError, match="pickle"):
        read_image(tmp_path / "a.npy")


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="does not exist"):
        read_image(tmp_path / "a.png")
    with pytest.raises(ImageError, match="is a folder"):
        read_image(tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.czi", "OME-TIFF"),
        ("a.npz", "numpy.load"),
        ("a.svg", "drawing"),
        ("a.heic", "save it as PNG"),
        ("a.NEF", "develop it"),
        ("a.psd", "flatten it"),
        ("a.mp4", "frames"),
        ("a.tif", "copy it again"),
        ("a.xyz", "TIFF, NPY, PNG"),
    ],
)
def test_advice_fits_the_file(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"something else entirely")
    with pytest.raises(ImageError, match=words):
        read_image(tmp_path / name)


def test_a_zarr_folder_and_an_address_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(ImageError, match="the package zarr"):
        read_image(tmp_path / "a.zarr")
    with pytest.raises(ImageError, match="download it first"):
        read_image("https://example.org/a.tif")


def test_memory_that_does_not_suffice_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 9 TiB")

    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 4), np.uint8))
    monkeypatch.setattr(tifffile.TiffPage, "asarray", full)
    with pytest.raises(ImageError, match=r"9 TiB.*crop it"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("shape", "words"),
    [((7,), "accepted"), ((4, 5, 6), "holds 4 pictures"), ((3, 4, 5, 6, 3), "holds 12 pictures")],
)
def test_arrays_that_are_no_picture(shape: tuple[int, ...], words: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))
    with pytest.raises(ImageError, match=words):
        read_image(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.zeros((4, 5), complex))
    with pytest.raises(ImageError, match="complex128"):
        read_image(tmp_path / "b.npy")


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut a file, or change some of its bytes, most of them where its structure is told."""
    changed = bytearray(content)
    if rng.random() < 0.25:
        return content[: rng.integers(0, len(content))]
    end = len(changed) if rng.random() < 0.3 else min(len(changed), 300)
    for position in rng.integers(0, end, rng.integers(1, 8)):
        changed[position] = rng.integers(0, 256)
    return bytes(changed)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", ["a.tif", "b.tif", "a.png", "a.jpg", "a.gif", "a.webp", "a.npy"])
def test_damaged_files_raise_nothing_else(name: str, tmp_path: Path) -> None:
    path, rng = tmp_path / name, np.random.default_rng(0)
    pixels = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    if name == "b.tif":
        tifffile.imwrite(path, pixels, compression="zlib", predictor=True, tile=(16, 16))
    elif name == "a.npy":
        np.save(path, pixels)
    else:
        imageio.imwrite(path, pixels)
    content = path.read_bytes()
    logging.disable(logging.CRITICAL)
    try:
        for _ in range(60):
            path.write_bytes(damaged(content, rng))
            with suppress(ImageError):
                assert read_image(path).ndim in (2, 3)
    finally:
        logging.disable(logging.NOTSET)
