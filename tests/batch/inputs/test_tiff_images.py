from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_clip_heatmap.batch.inputs import tiff_images
from napari_clip_heatmap.batch.inputs.batch_image import BatchImage, ImageEntry
from napari_clip_heatmap.batch.inputs.tiff_images import open_tiff, tiff_parts
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.image_file import read_image
from napari_clip_heatmap.files.reading.picture_choice import PictureChoice

ALL = PictureChoice()
RANDOM = np.random.default_rng(0)


def pixels(image: BatchImage, index: tuple[int, ...] = (), level: int = 0) -> np.ndarray:
    (channel,) = image.channels(index)
    array = channel.levels[level]
    return np.asarray(array[(slice(None),) * len(array.shape)])


@pytest.mark.parametrize(
    ("axes", "shape", "names"),
    [
        ("YX", (8, 9), ()),
        ("YXS", (8, 9, 3), ()),
        ("ZYX", (4, 8, 9), ("z",)),
        ("TZYX", (3, 2, 8, 9), ("time", "z")),
        ("TYXS", (3, 8, 9, 3), ("time",)),
    ],
)
def test_planes_by_the_names_of_axes(
    axes: str, shape: tuple[int, ...], names: tuple[str, ...], tmp_path: Path
) -> None:
    array = RANDOM.integers(0, 255, shape, dtype=np.uint8)
    path = tmp_path / "a.ome.tif"
    kind = "rgb" if "S" in axes else "minisblack"
    tifffile.imwrite(path, array, metadata={"axes": axes}, photometric=kind)
    image = open_tiff(ImageEntry(str(path)), ALL)
    assert (image.axes, image.shape) == (names, (8, 9))
    for index in image.planes:
        np.testing.assert_array_equal(pixels(image, index), array[index])


def test_channels_are_chosen_or_asked_about(tmp_path: Path) -> None:
    array = RANDOM.integers(0, 255, (3, 4, 8, 9), dtype=np.uint8)
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, array, metadata={"axes": "TCYX"}, photometric="minisblack")
    entry = ImageEntry(str(path))
    with pytest.raises(ImageError, match="--channel"):
        open_tiff(entry, ALL)
    image = open_tiff(entry, PictureChoice(channel=2))
    assert image.lengths == (3,)
    np.testing.assert_array_equal(pixels(image, (1,)), array[1, 2])
    colored = open_tiff(entry, PictureChoice(channel=(3, 0, 1), time=2))
    np.testing.assert_array_equal(pixels(colored), np.moveaxis(array[2, [3, 0, 1]], 0, -1))
    page = open_tiff(entry, PictureChoice(page=7))
    np.testing.assert_array_equal(pixels(page), array[1, 3])


def test_series_are_images_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    first, second = RANDOM.integers(0, 255, (2, 8, 9)), RANDOM.integers(0, 255, (7, 6))
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(first.astype(np.uint8), metadata={"axes": "ZYX"}, photometric="minisblack")
        tiff.write(second.astype(np.uint8), metadata={"axes": "YX"}, photometric="minisblack")
    assert tiff_parts(str(path), ALL) == ["series 0", "series 1"]
    assert tiff_parts(str(path), PictureChoice(series=1)) == [""]
    image = open_tiff(ImageEntry(str(path), "series 1"), ALL)
    np.testing.assert_array_equal(pixels(image), second)
    assert open_tiff(ImageEntry(str(path), "series 0"), ALL).axes == ("z",)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_pyramid_is_read_in_parts(
    compression: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiff_images, "_LARGE", 2**12)
    array = RANDOM.integers(0, 255, (160, 192, 3), dtype=np.uint8)
    path = tmp_path / "slide.tif"
    options: Any = {"tile": (64, 64), "photometric": "rgb", "compression": compression}
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(array, subifds=1, **options)
        tiff.write(array[::2, ::2], subfiletype=1, **options)
    image = open_tiff(ImageEntry(str(path)), ALL)
    (channel,) = image.channels(())
    assert [level.shape for level in channel.levels] == [(160, 192, 3), (80, 96, 3)]
    assert not isinstance(channel.levels[0], np.ndarray), "nothing is read yet"
    np.testing.assert_array_equal(pixels(image), array)
    np.testing.assert_array_equal(pixels(image, level=1), array[::2, ::2])
    np.testing.assert_array_equal(pixels(image), read_image(path))


def test_upside_down_is_turned_upright(tmp_path: Path) -> None:
    array = RANDOM.integers(0, 255, (8, 9), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", array, extratags=[(274, 3, 1, 6, True)])
    image = open_tiff(ImageEntry(str(tmp_path / "a.tif")), ALL)
    assert image.shape == (9, 8)
    np.testing.assert_array_equal(pixels(image), read_image(tmp_path / "a.tif"))
