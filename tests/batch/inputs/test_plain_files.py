from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_clip_heatmap.batch.inputs.batch_image import BatchImage, ImageEntry
from napari_clip_heatmap.batch.inputs.plain_files import (
    array_image,
    open_array_file,
    open_picture,
)
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.picture_choice import PictureChoice

ALL = PictureChoice()


def pixels(image: BatchImage, index: tuple[int, ...]) -> np.ndarray:
    (channel,) = image.channels(index)
    level = channel.levels[0]
    return np.asarray(level[(slice(None),) * len(level.shape)])


@pytest.mark.parametrize(
    ("shape", "lengths"),
    [
        ((8, 9), ()),
        ((8, 9, 3), ()),
        ((8, 9, 4), ()),
        ((8, 9, 1), ()),
        ((5, 8, 9), (5,)),
        ((5, 8, 9, 3), (5,)),
        ((2, 5, 8, 9), (2, 5)),
    ],
)
def test_planes_of_arrays(shape: tuple[int, ...], lengths: tuple[int, ...], tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    np.save(tmp_path / "a.npy", array)
    image = open_array_file(ImageEntry(str(tmp_path / "a.npy")), ALL)
    assert (image.lengths, image.shape, image.n_planes) == (lengths, (8, 9), np.prod(lengths))
    for index in image.planes:
        np.testing.assert_array_equal(pixels(image, index), array[index])


def test_a_chosen_plane_and_channel() -> None:
    array = np.random.default_rng(0).integers(0, 255, (5, 8, 9, 3), dtype=np.uint8)
    image = array_image(array, name="'a'", choice=PictureChoice(page=3, channel=1))
    assert image.lengths == ()
    np.testing.assert_array_equal(pixels(image, ()), array[3, ..., 1])
    with pytest.raises(ImageError, match="no page 5"):
        array_image(array, name="'a'", choice=PictureChoice(page=5))


@pytest.mark.parametrize("array", [np.zeros(5), np.zeros((8, 9), complex), np.zeros((0, 9))])
def test_what_is_no_picture_is_refused(array: np.ndarray) -> None:
    with pytest.raises(ImageError, match="accepted"):
        array_image(array, name="'a'", choice=ALL)


def test_one_picture(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 255, (8, 9, 3), dtype=np.uint8)
    Image.fromarray(array).save(tmp_path / "a.png")
    image = open_picture(ImageEntry(str(tmp_path / "a.png")), ALL)
    np.testing.assert_array_equal(pixels(image, ()), array)
    (tmp_path / "empty.npy").write_bytes(b"")
    with pytest.raises(ImageError, match="empty"):
        open_array_file(ImageEntry(str(tmp_path / "empty.npy")), ALL)
