"""Pictures and the class of each pixel, from a user's copy of a data set."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.evaluation.benchmarks.segmentation_metrics import IGNORED
from napari_clip_heatmap.files.reading.image_file import read_image

__all__ = ["check_pair", "count_mat", "list_pairs", "read_mat", "read_pair"]

_PICTURES = (".jpg", ".jpeg", ".JPEG", ".png")


def list_pairs(root: Path) -> list[tuple[Path, Path]]:
    """Return the pictures of ``root/images``, each with its ``root/annotations/NAME.png``, sorted.

    Raises
    ------
    ImageError
        There is none, or one has no truth.
    """
    folder = root / "images"
    images = sorted(
        path for path in folder.rglob("*") if path.suffix in _PICTURES and path.is_file()
    )
    if not images:
        raise ImageError(
            f"'{root}' holds no pictures in 'images'; expected 'images/NAME.jpg' and "
            "'annotations/NAME.png', as MMSegmentation has them"
        )
    pairs = []
    for path in images:
        truth = (root / "annotations" / path.relative_to(folder)).with_suffix(".png")
        if not truth.is_file():
            raise ImageError(f"'{path}' has no truth: there is no '{truth}'")
        pairs.append((path, truth))
    return pairs


def read_pair(
    image_path: Path, truth_path: Path, classes: Collection[int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a picture as RGB and the class of each pixel, uint8 (y, x, 3) and (y, x).

    Palette pictures are read by their numbers, not by their colors.

    Parameters
    ----------
    image_path, truth_path : Path
    classes : collection of int
        What class numbers there may be, besides `IGNORED`.

    Raises
    ------
    ImageError
        One cannot be read or has another form, the sizes differ, or there are other numbers.
    """
    image, truth = _rgb(read_image(image_path), str(image_path)), _class_numbers(truth_path)
    check_pair(image, truth, classes, str(image_path))
    return image, truth


def count_mat(path: Path) -> int:
    """Return how many pictures ``gtsegs_ijcv.mat`` has.

    Raises
    ------
    ImageError
        As `read_mat` does.
    """
    with _open_mat(path) as file:
        return len(file["/value/img"])


def _open_mat(path: Path) -> Any:
    """Open a MATLAB file of version 7.3, which is HDF5.

    Raises
    ------
    ImageError
        h5py is not installed, or the file is another.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImageError(
            f"'{path}' is read with h5py, which is not installed; install it with "
            "'pip install h5py', or give a folder with 'images' and 'annotations'"
        ) from error
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ImageError(f"'{path}' is no MATLAB file of version 7.3 ({error})") from error
    if "/value/img" not in file or "/value/gt" not in file:
        raise ImageError(
            f"'{path}' has no '/value/img' and '/value/gt'; expected the authors' file of "
            "ImageNet-Segmentation, 'gtsegs_ijcv.mat'"
        )
    return file


def read_mat(path: Path) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Yield the pictures of ``gtsegs_ijcv.mat`` with their masks.

    MATLAB keeps columns first, and the mask one reference further away than the picture.

    Raises
    ------
    ImageError
        h5py is not installed, the file is another, or a picture and its mask do not fit.
    """
    with _open_mat(path) as file:
        for number in range(len(file["/value/img"])):
            image = np.asarray(file[file["/value/img"][number, 0]])
            truth = np.asarray(file[file[file["/value/gt"][number, 0]][0, 0]])
            rgb = image.transpose(2, 1, 0) if image.ndim == 3 else image.T
            pair = _rgb(rgb, f"picture {number}"), truth.T.astype(np.uint8)
            check_pair(*pair, {0, 1}, f"picture {number}")
            yield pair


def check_pair(
    image: NDArray[np.uint8], truth: NDArray[np.uint8], classes: Collection[int], name: str
) -> None:
    """Raise unless picture and truth have one size and the truth only known numbers.

    Raises
    ------
    ImageError
    """
    if truth.shape != image.shape[:2]:
        raise ImageError(
            f"'{name}' has shape {image.shape[:2]} and its truth {truth.shape}, both (y, x); both "
            "must have one size"
        )
    odd = sorted(set(np.unique(truth).tolist()) - set(classes) - {IGNORED})
    if odd:
        raise ImageError(
            f"the truth of '{name}' has class numbers {odd[:5]}; accepted: {min(classes)} to "
            f"{max(classes)}, and {IGNORED} for what does not count"
        )


def _class_numbers(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as picture:
            mode, numbers = picture.mode, np.asarray(picture)
    except (OSError, UnidentifiedImageError) as error:
        raise ImageError(f"'{path}' could not be read as a picture ({error})") from error
    if mode not in ("P", "L"):
        raise ImageError(
            f"'{path}' is a picture of mode {mode}; class numbers lie in a palette or 8-bit gray "
            "PNG"
        )
    return numbers


def _rgb(image: NDArray[Any], name: str) -> NDArray[np.uint8]:
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
        raise ImageError(
            f"'{name}' has type {image.dtype} and shape {image.shape}; accepted: 8-bit gray or RGB"
        )
    return np.repeat(image[..., np.newaxis], 3, axis=2) if image.ndim == 2 else image
