"""One picture of a file that Pillow reads, in the depth that is stored."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageFile

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.color_conversion import rgb_to_srgb
from napari_clip_heatmap.files.reading.picture_choice import Axis, PictureChoice
from napari_clip_heatmap.imaging.pillow_images import (
    count_pictures,
    orient,
    orientation_of,
    picture_colors,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["read_with_pillow"]

_ANIMATIONS = ("GIF", "WEBP", "PNG", "AVIF", "FLI")
"""Formats whose frames follow each other in time."""

_REFUSED = {
    "FITS": "open it with astropy.io.fits and give the array of one plane",
    "EPS": "it is a drawing; export it as PNG or TIFF",
    "WMF": "it is a drawing; export it as PNG or TIFF",
}
"""Formats that Pillow opens and does not read whole or as they are, and what to do instead."""


def read_with_pillow(path: Path, choice: PictureChoice, name: str) -> NDArray[Any]:
    """Read the one picture that a file holds, or the chosen one, upright.

    Parameters
    ----------
    path : Path
    choice : PictureChoice
    name : str
        What errors call the file.

    Returns
    -------
    ndarray (y, x), (y, x, 3) or (y, x, 4)
        Gray, RGB or RGBA; bool or uint8, and uint16 where the file has more than 8 bits.

    Raises
    ------
    ImageError
        There are several pictures and none was chosen, or it cannot be read in its depth.

    Examples
    --------
    >>> read_with_pillow(Path("cells.png"), PictureChoice(), "'cells.png'")  # doctest: +SKIP
    """
    try:
        with warnings.catch_warnings():
            # Pictures of 100 million pixels are everyday here; Pillow still refuses twice as many.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return choice.of_channels(_seen(image, path, choice, name), name)
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{name} has more pixels than Pillow reads ({error}); save it as a tiled TIFF"
        ) from error


def _seen(image: ImageFile.ImageFile, path: Path, choice: PictureChoice, name: str) -> NDArray[Any]:
    """Return the chosen frame, upright."""
    if image.format in _REFUSED:
        raise ImageError(
            f"{name} is {image.format}, which is not read here; {_REFUSED[image.format]}"
        )
    frame = _choose_frame(image, choice, name)
    if frame:
        image.seek(frame)
    _refuse_undeclared(image, choice, name)
    pixels = _deep_pixels(image, path, name)
    image.load()
    if pixels is None:
        seen = picture_colors(image)
    else:
        seen = _with_opacity(pixels)
        if seen.ndim == 3:
            colors = rgb_to_srgb(seen[..., :3], image.info.get("icc_profile"))
            seen = np.concatenate([colors, seen[..., 3:]], axis=-1)
    return orient(seen, orientation_of(image))


def _choose_frame(image: Image.Image, choice: PictureChoice, name: str) -> int:
    choice.number(name, "series", choice.series, [str(image.format)])
    kind: Axis = ("time" if image.format in _ANIMATIONS else "page", count_pictures(image))
    single = PictureChoice(page=choice.page, time=choice.time, z=choice.z)
    return single.planes(name, [kind])[0][0]


def _refuse_undeclared(image: Image.Image, choice: PictureChoice, name: str) -> None:
    """Ask about a fourth channel of a PSD, which may be opacity or a saved selection."""
    if image.format == "PSD" and image.mode == "RGBA" and not choice.channels:
        raise ImageError(
            f"{name} has a fourth channel that may be opacity or a selection; choose "
            "channel=(0, 1, 2) for its colors (in the shell --channel 0,1,2), or flatten it and "
            "save it as PNG"
        )


def _deep_pixels(image: ImageFile.ImageFile, path: Path, name: str) -> NDArray[Any] | None:
    """Return the pixels of a file with over 8 bits, which Pillow would cut to 8; else None."""
    import imagecodecs

    decoders: dict[str, Any] = {
        "JPEG2000": imagecodecs.jpeg2k_decode,
        "AVIF": imagecodecs.avif_decode,
    }
    decode, still = decoders.get(image.format or ""), count_pictures(image) == 1
    if decode is not None and still:
        pixels = np.asarray(decode(path.read_bytes()))
        return pixels if pixels.dtype.itemsize > 1 and _fits(pixels, image.mode) else None
    if not any(_has_more_bits(tile) for tile in image.tile):
        return None
    if image.format == "PNG" and still:
        return np.asarray(imagecodecs.png_decode(path.read_bytes()))
    if image.format == "PPM":
        return _portable_map(image, path, name)
    raise ImageError(
        f"{name} holds 16 bits per color, which is not read of {image.format} files; save it as "
        "TIFF or PNG"
    )


def _has_more_bits(tile: tuple[Any, ...]) -> bool:
    """Tell by what Pillow would decode whether samples have more than 8 bits."""
    codec, _, _, arguments = tile
    if codec == "SGI16":
        return True
    if codec in ("ppm", "ppm_plain"):
        return bool(arguments[1] > 255)
    mode = arguments if isinstance(arguments, str) else (arguments or ("",))[0]
    return ";16" in str(mode)


def _portable_map(image: ImageFile.ImageFile, path: Path, name: str) -> NDArray[Any]:
    """Read a 16-bit PGM or PPM with its values as stored: big-endian, row by row."""
    codec, _, offset, _ = image.tile[0]
    if codec == "ppm_plain":
        raise ImageError(f"{name} holds 16-bit values as text, which is not read; save it as PNG")
    shape = (image.height, image.width, len(image.getbands()))
    count = math.prod(shape)
    pixels = np.frombuffer(path.read_bytes(), ">u2", count, offset).reshape(shape)
    return pixels.astype(np.uint16)


def _fits(pixels: NDArray[Any], mode: str) -> bool:
    """Tell whether decoded samples are what Pillow takes them for."""
    count = pixels.shape[2] if pixels.ndim == 3 else 1
    return count == {"RGB": 3, "RGBA": 4, "LA": 2}.get(mode, 1)


def _with_opacity(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return gray with opacity as RGBA, and anything else as it is."""
    if pixels.ndim == 2 or pixels.shape[2] > 2:
        return np.ascontiguousarray(pixels)
    if pixels.shape[2] == 1:
        return np.ascontiguousarray(pixels[..., 0])
    return pixels[..., [0, 0, 0, 1]]
