"""One image from one file, as the array that lies in it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_clip_heatmap.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_image"]

TIFF_ENDINGS = (".tif", ".tiff", ".lsm", ".btf", ".tf8")


def read_image(path: str | Path) -> NDArray[Any]:
    """Read an image without scaling or converting its values.

    Parameters
    ----------
    path : str or Path
        A TIFF (any bit depth), a NumPy ``.npy``, or whatever Pillow reads (PNG, JPEG, BMP ...).

    Returns
    -------
    ndarray
        Shape (y, x) or (y, x, 3 or 4) for a plain picture, in the file's own data type; a file with
        more axes gives them all.

    Raises
    ------
    ImageError
        If there is no such file, or it cannot be read as an image.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise ImageError(f"'{path}' {what}; give the path of an image file")
    ending = path.suffix.lower()
    try:
        if ending in TIFF_ENDINGS:
            return _read_tiff(path)
        if ending == ".npy":
            return np.asarray(np.load(path, allow_pickle=False))
        return _read_picture(path)
    except (OSError, ValueError, EOFError, SyntaxError, IndexError, struct.error) as error:
        # Pillow says SyntaxError for a broken PNG; tifffile the last two for a truncated TIFF.
        reason = " ".join(str(error).split())
        raise ImageError(
            f"'{path}' could not be read as an image ({reason}); accepted are TIFF, NPY, PNG, JPEG "
            "and what Pillow reads; save it as one of these"
        ) from error


def _read_tiff(path: Path) -> NDArray[Any]:
    """Read the first series, with the colour axis last whichever way the file is laid out."""
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        pixels = np.asarray(series.asarray())
        axes = series.axes
    if "S" in axes:
        pixels = np.moveaxis(pixels, axes.index("S"), -1)
    return pixels


def _read_picture(path: Path) -> NDArray[Any]:
    """Read with Pillow alone: imageio's search through its older plugins takes long and warns."""
    import imageio.v3 as imageio  # deferred, as a TIFF does not need it
    from PIL import Image

    try:
        return np.asarray(imageio.imread(path, plugin="pillow"))
    except Image.DecompressionBombError as error:
        raise ValueError(str(error)) from error
