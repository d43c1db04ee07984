"""One picture from one file, as the file itself says it is to be seen."""

from __future__ import annotations

import struct
import tokenize
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.file_advice import advice_on_file
from napari_clip_heatmap.files.reading.picture_choice import Axis, PictureChoice, short_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_image"]

_NUMPY_MAGIC = b"\x93NUMPY"

_DECODER_ERRORS = (
    *(ArithmeticError, EOFError, LookupError, OSError, RuntimeError, SyntaxError),
    *(TypeError, ValueError, struct.error, tokenize.TokenError, zlib.error),
)
"""What Pillow, tifffile and their decoders raise when a file is damaged (Pillow says SyntaxError
of a broken PNG, tifffile TypeError or ZeroDivisionError of broken tags)."""


def read_image(
    path: str | Path,
    *,
    page: int | None = None,
    series: int | None = None,
    channel: int | Sequence[int] | None = None,
    time: int | None = None,
    z: int | None = None,
) -> NDArray[Any]:
    """Read one picture from a file, in the depth and the colors that the file declares.

    TIFF is read under any suffix (plain, BigTIFF, OME, ImageJ, STK, LSM, slides; packed bits and
    all usual compressions), NumPy's ``.npy``, and what Pillow reads (PNG, JPEG, WebP, GIF, BMP,
    JPEG 2000, AVIF, PSD ...). Palettes, ImageJ's lookup tables, CMYK, YCbCr and L*a*b* become RGB,
    min-is-white is inverted, and the picture is turned upright. Colors of 8 and 16 bits go through
    the file's color profile, if it has one, to sRGB. Other RGB and all gray values are left as
    they are stored.

    Parameters
    ----------
    path : str or Path
    page : int, optional
        Which page of a TIFF, frame of an animation, or plane in the order of the file. This and
        the following count from 0, and are needed only where a file holds several pictures.
    series : int, optional
        Which series of a TIFF, such as the position of a microscope's stage.
    channel : int or three int, optional
        One channel as gray, or three as red, green and blue.
    time, z : int, optional
        Which time point and focal plane.

    Returns
    -------
    ndarray (y, x), (y, x, 3) or (y, x, 4)
        Gray, RGB or RGBA (opacity not multiplied in), of the file's type: bool, integers or
        floats. Values declared as missing are NaN, or masked in integers.

    Raises
    ------
    ImageError
        There is no such file, it cannot be read as an image, or it holds several pictures and
        none was chosen: the message says how many, and how to choose.
    SettingsError
        A choice is no whole number from 0 up.

    Examples
    --------
    >>> import numpy as np
    >>> import tifffile
    >>> movie = np.zeros((5, 2, 40, 50), np.uint16)  # time, channel, y, x
    >>> tifffile.imwrite("movie.ome.tif", movie, metadata={"axes": "TCYX"})
    >>> nch.read_image("movie.ome.tif", time=4, channel=1).shape
    (40, 50)
    """
    chosen = tuple(channel) if isinstance(channel, list) else channel
    choice = PictureChoice(page, series, chosen, time, z)  # type: ignore[arg-type]
    path = Path(path)
    name = short_name(path)
    _require_file(path, name)
    try:
        picture = _read(path, choice, name)
        if not picture.size:
            raise ImageError(f"{name} holds a picture without a pixel; it may be damaged")
        return picture
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError(
            f"{name} needs more memory than there is ({error}); crop it, or open it in napari as "
            "a dask or zarr array, which is read a part at a time"
        ) from error
    except _DECODER_ERRORS as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise ImageError(
            f"{name} could not be read as an image ({reason}); {advice_on_file(path)}"
        ) from error


def _require_file(path: Path, name: str) -> None:
    if path.is_file():
        return
    if path.is_dir():
        raise ImageError(f"{name} is a folder; {advice_on_file(path)}")
    if "://" in str(path) or ":/" in str(path)[:10]:
        raise ImageError(f"{name} does not exist here; download it first, and give the file's path")
    raise ImageError(f"{name} does not exist; give the path of an image file")


def _read(path: Path, choice: PictureChoice, name: str) -> NDArray[Any]:
    """Read a file by what it holds, as suffixes do not always tell."""
    from napari_clip_heatmap.files.reading.tiff_file import TIFF_MAGIC, read_tiff

    with path.open("rb") as file:
        start = file.read(len(_NUMPY_MAGIC))
    if start.startswith(TIFF_MAGIC):
        return read_tiff(path, choice, name)
    if start == _NUMPY_MAGIC:
        return _read_array(path, choice, name)
    from napari_clip_heatmap.files.reading.pillow_file import read_with_pillow

    return read_with_pillow(path, choice, name)


def _read_array(path: Path, choice: PictureChoice, name: str) -> NDArray[Any]:
    """Read ``.npy``: (y, x), (y, x, 3 or 4), or pages of one of these."""
    array = np.load(path, allow_pickle=False)
    if array.dtype.kind not in "buif" or array.ndim < 2:
        raise ImageError(
            f"{name} holds an array {array.shape} of {array.dtype}; accepted: (y, x) or "
            "(y, x, 3 or 4), or a stack of these, of booleans, integers or real floats"
        )
    n_own = 3 if array.ndim > 2 and array.shape[-1] in (3, 4) else 2
    if array.ndim == 3 and array.shape[-1] == 1:
        array, n_own = array[..., 0], 2
    axes: list[Axis] = [("page", length) for length in array.shape[: array.ndim - n_own]]
    planes = PictureChoice(page=choice.page, time=choice.time, z=choice.z).planes(name, axes)
    choice.number(name, "series", choice.series, ["array"])
    return choice.of_channels(np.array(array[planes[0]]), name)
