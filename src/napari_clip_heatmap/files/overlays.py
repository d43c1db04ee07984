"""Pictures to look at: a heatmap over its image, many pictures on one sheet, and their files."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_clip_heatmap.imaging.colors import as_levels
from napari_clip_heatmap.imaging.opencv import cv2

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["as_bytes", "contact_sheet", "overlay", "smaller", "write_picture"]

CAPTION_HEIGHT = 24
"""Pixels above each picture of a sheet for its caption."""


def overlay(
    image: NDArray[np.uint8], colors: NDArray[np.uint8], shown: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Blend a colored heatmap half and half onto its image.

    Parameters
    ----------
    image : uint8 array (y, x, 3)
        RGB; see `as_bytes`.
    colors : uint8 array (y, x, 3)
        The heatmap in colors, RGB.
    shown : bool array (y, x)
        Where there is a heatmap; elsewhere the image stays as it is.

    Returns
    -------
    uint8 array (y, x, 3)
        RGB.

    Examples
    --------
    >>> import numpy as np
    >>> red = np.array([[[255, 0, 0]]], np.uint8)
    >>> overlay(np.zeros((1, 1, 3), np.uint8), red, np.ones((1, 1), bool)).tolist()
    [[[127, 0, 0]]]
    """
    # The average of two bytes, rounded down, with no wider copy of a large image.
    mixed: NDArray[np.uint8] = (image >> 1) + (colors >> 1) + (image & colors & 1)
    if not shown.all():
        np.copyto(mixed, image, where=~shown[..., np.newaxis])
    return mixed


def as_bytes(rgb: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return colors of 0..1 as uint8, of the same shape.

    Examples
    --------
    >>> import numpy as np
    >>> as_bytes(np.array([0.0, 0.2, 1.0], np.float32)).tolist()
    [0, 51, 255]
    """
    return as_levels(rgb)


def smaller(picture: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a picture (y, x, 3) at a smaller size (y, x), averaged.

    Examples
    --------
    >>> import numpy as np
    >>> smaller(np.array([[[0, 0, 0], [10, 20, 30]]], np.uint8), (1, 1)).tolist()
    [[[5, 10, 15]]]
    """
    made: NDArray[np.uint8] = cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_AREA)
    return made


def contact_sheet(
    pictures: Sequence[NDArray[np.uint8]], captions: Sequence[str], *, columns: int = 0
) -> NDArray[np.uint8]:
    """Arrange pictures of one size in rows, each under its caption.

    Parameters
    ----------
    pictures : sequence of uint8 arrays (y, x, 3)
        RGB, all of the same shape.
    captions : sequence of str
        One per picture.
    columns : int
        Pictures per row; 0 makes the sheet about as wide as high.

    Returns
    -------
    uint8 array (rows * (y + CAPTION_HEIGHT), columns * x, 3)
        RGB on white.

    Examples
    --------
    >>> import numpy as np
    >>> contact_sheet([np.zeros((40, 50, 3), np.uint8)] * 2, ["a", "b"], columns=2).shape
    (64, 100, 3)
    """
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    height, width = pictures[0].shape[:2]
    step = height + CAPTION_HEIGHT
    sheet = np.full((rows * step, columns * width, 3), 255, np.uint8)
    for position, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        row, column = divmod(position, columns)
        cell = sheet[row * step : (row + 1) * step, column * width : (column + 1) * width]
        cell[:CAPTION_HEIGHT] = _caption(caption, width)
        cell[CAPTION_HEIGHT:] = picture
    return sheet


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a PNG, uint8 (y, x, 3) RGB.

    Examples
    --------
    >>> write_picture(Path("cells.png"), picture)  # doctest: +SKIP
    """
    # Level 1 takes a third of the default's time and 20 % more bytes. OpenCV starts faster
    # than imageio, which counts for small pictures.
    how = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, 0, *_png_filter()]
    _, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), how)
    path.write_bytes(encoded.tobytes())


def _png_filter() -> list[int]:
    """Take the row above from each row: looking for the best filter takes longer than deflate."""
    if not hasattr(cv2, "IMWRITE_PNG_FILTER"):  # before OpenCV 4.12
        return []
    return [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]


def _caption(text: str, width: int) -> NDArray[np.uint8]:
    """Draw one line of text, black on white, cut off at the width."""
    from PIL import Image, ImageDraw, ImageFont  # knows more letters than OpenCV's ASCII

    strip = Image.new("RGB", (width, CAPTION_HEIGHT), "white")
    font = ImageFont.load_default(size=15)
    ImageDraw.Draw(strip).text((6, 3), text, fill="black", font=font)
    return np.asarray(strip)
