"""Truth is read as class numbers, and what does not fit is refused."""

from __future__ import annotations

from pathlib import Path

import h5py
import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.evaluation.benchmarks.segmentation_pairs import (
    count_mat,
    list_pairs,
    read_mat,
    read_pair,
)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    iio.imwrite(path, np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8))
    return path


def write_palette(path: Path, numbers: np.ndarray) -> None:
    picture = Image.fromarray(numbers)
    picture.putpalette(np.random.default_rng(1).integers(0, 255, 768).tolist())
    picture.save(path)


def test_palette_pictures_are_read_by_number(picture: Path, tmp_path: Path) -> None:
    numbers = np.zeros((6, 8), np.uint8)
    numbers[2:, 3:] = 15
    numbers[0, 0] = 255
    write_palette(tmp_path / "truth.png", numbers)
    image, truth = read_pair(picture, tmp_path / "truth.png", range(21))
    assert image.shape == (6, 8, 3)
    assert np.array_equal(truth, numbers)


def test_gray_pictures_become_rgb(tmp_path: Path) -> None:
    iio.imwrite(tmp_path / "g.png", np.arange(6, dtype=np.uint8).reshape(2, 3))
    write_palette(tmp_path / "t.png", np.zeros((2, 3), np.uint8))
    image, _ = read_pair(tmp_path / "g.png", tmp_path / "t.png", {0, 1})
    assert np.array_equal(image[..., 0], image[..., 2])


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        (np.zeros((6, 9), np.uint8), "one size"),
        (np.full((6, 8), 30, np.uint8), r"class numbers \[30\]"),
        (np.zeros((6, 8, 3), np.uint8), "mode RGB"),
    ],
)
def test_what_does_not_fit_is_refused(picture, tmp_path, truth, message) -> None:
    iio.imwrite(tmp_path / "t.png", truth)
    with pytest.raises(ImageError, match=message):
        read_pair(picture, tmp_path / "t.png", range(21))


def test_truth_that_is_no_picture_is_refused(picture: Path, tmp_path: Path) -> None:
    (tmp_path / "t.png").write_text("no picture")
    with pytest.raises(ImageError, match="could not be read"):
        read_pair(picture, tmp_path / "t.png", range(21))


def test_pairs_lie_in_two_folders(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"'images/NAME\.jpg'"):
        list_pairs(tmp_path)
    (tmp_path / "images" / "val").mkdir(parents=True)
    (tmp_path / "annotations" / "val").mkdir(parents=True)
    for name in ("b", "a"):
        (tmp_path / "images" / "val" / f"{name}.jpg").write_bytes(b"")
    (tmp_path / "annotations" / "val" / "a.png").write_bytes(b"")
    with pytest.raises(ImageError, match="has no truth"):
        list_pairs(tmp_path)
    (tmp_path / "annotations" / "val" / "b.png").write_bytes(b"")
    assert [image.stem for image, _ in list_pairs(tmp_path)] == ["a", "b"]


def test_a_mat_file_is_read_in_matlabs_order(write_mat, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    images = [rng.integers(0, 255, (5, 7, 3), dtype=np.uint8) for _ in range(2)]
    truths = [rng.integers(0, 2, (5, 7), dtype=np.uint8) for _ in range(2)]
    path = tmp_path / "gtsegs_ijcv.mat"
    write_mat(path, images, truths)
    assert count_mat(path) == 2
    found = list(read_mat(path))
    for (image, truth), its_image, its_truth in zip(found, images, truths, strict=True):
        assert np.array_equal(image, its_image)
        assert np.array_equal(truth, its_truth)


def test_another_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.mat"
    other.write_bytes(b"MATLAB 5.0 MAT-file")
    with pytest.raises(ImageError, match=r"version 7\.3"):
        count_mat(other)
    with h5py.File(tmp_path / "empty.mat", "w"):
        pass
    with pytest.raises(ImageError, match="'/value/img'"):
        next(read_mat(tmp_path / "empty.mat"))
