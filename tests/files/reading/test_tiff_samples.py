from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.image_file import read_image

GRAY = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)
FOUR = np.random.default_rng(0).integers(0, 256, (20, 30, 4), dtype=np.uint8)


@pytest.mark.parametrize(
    ("pixels", "options", "words"),
    [
        (GRAY.astype(np.complex64), {}, "magnitude"),
        (GRAY, {"photometric": "cfa"}, "mosaic"),
        (FOUR[..., :3], {"photometric": "linear_raw", "planarconfig": "contig"}, "raw linear"),
        (FOUR, {"photometric": "rgb", "extrasamples": ["unspecified"]}, "4 samples per pixel"),
        (FOUR, {"photometric": "minisblack", "planarconfig": "contig"}, "does not declare all"),
        (FOUR, {"photometric": "separated", "extratags": [(332, 3, 1, 2, True)]}, "inks other"),
        (FOUR.astype(np.float32), {"photometric": "separated"}, "8 or 16 bits"),
        (GRAY.astype(np.uint8), {"photometric": "palette"}, "palette"),
    ],
)
def test_what_is_no_picture_is_told(
    pixels: np.ndarray, options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    if options.get("photometric") == "palette":  # tifffile writes none without its colors
        colormap = np.zeros((3, 256), np.uint16)
        tifffile.imwrite(tmp_path / "a.tif", pixels, colormap=colormap, **options)
        with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as tiff:
            tiff.pages[0].tags["ColorMap"].overwrite(0, dtype="H")
    else:
        tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    with pytest.raises(ImageError, match=words):
        read_image(tmp_path / "a.tif")


def test_five_samples_of_which_one_is_declared(tmp_path: Path) -> None:
    five = np.dstack([FOUR, FOUR[..., 0]])
    options = {"photometric": "rgb", "extrasamples": ["unassalpha", "unspecified"]}
    tifffile.imwrite(tmp_path / "a.tif", five, **options)
    with pytest.raises(ImageError, match="5 samples"):
        read_image(tmp_path / "a.tif")
    picked = read_image(tmp_path / "a.tif", channel=(4, 3, 0))
    np.testing.assert_array_equal(picked, five[..., [4, 3, 0]])
    with pytest.raises(ImageError, match="no channel 5"):
        read_image(tmp_path / "a.tif", channel=5)


def test_a_palette_of_eight_bit_values(tmp_path: Path) -> None:
    table = np.random.default_rng(0).integers(0, 256, (3, 256), dtype=np.uint16)
    index = (GRAY % 256).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", index, photometric="palette", colormap=table)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), table.T[index])


def test_opacity_of_min_is_white_is_not_inverted(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        FOUR[..., :2],
        photometric="miniswhite",
        planarconfig="contig",
        extrasamples=["unassalpha"],
    )
    picture = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture[..., :3], 255 - FOUR[..., [0, 0, 0]])
    np.testing.assert_array_equal(picture[..., 3], FOUR[..., 1])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_declared_missing_values_are_left_out(dtype: type, tmp_path: Path) -> None:
    values = (GRAY % 100).astype(dtype)
    tags = [(42113, 2, 2, "7", True)]
    tifffile.imwrite(tmp_path / "a.tif", values, extratags=tags)
    picture = read_image(tmp_path / "a.tif")
    assert picture.dtype == dtype
    missing = np.isnan(picture) if dtype is np.float32 else np.ma.getmaskarray(picture)
    np.testing.assert_array_equal(missing, values == 7)
    np.testing.assert_array_equal(np.asarray(picture)[~missing], values[~missing])


def test_a_plain_gray_picture_is_not_copied_about(tmp_path: Path) -> None:
    """Large files are read in the memory that they take."""
    import tracemalloc

    pixels = np.zeros((3000, 3000, 3), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
    del pixels
    read_image(tmp_path / "a.tif")
    tracemalloc.start()
    try:
        picture = read_image(tmp_path / "a.tif")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.2 * picture.nbytes
