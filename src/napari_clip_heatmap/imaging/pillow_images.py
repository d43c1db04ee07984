"""Pillow images as arrays: colors, transparency and orientation as the file declares them."""

from __future__ import annotations

import io
import os
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from napari_clip_heatmap.errors import ImageError, shown_value

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

__all__ = [
    "PROFILE_SPACE",
    "array_of",
    "count_pictures",
    "needs_profile",
    "orient",
    "orientation_of",
    "picture_colors",
    "pillow_array",
]

_EXIF_ORIENTATION = 0x0112

PROFILE_SPACE = slice(16, 20)
"""Where an ICC profile says which colors it describes (ICC.1, 7.2.8)."""

_SAME_COLORS = 2
"""Of 255: profiles of sRGB by several makers differ by this much."""

_LARGE_THUMBNAIL = "Large Thumbnail"
"""How a multi-picture JPEG declares smaller copies of its picture."""


def array_of(image: object) -> Any:
    """Return the pixels of a Pillow image, and anything else unchanged.

    Parameters
    ----------
    image : object
        What a caller gave as an image.

    Returns
    -------
    ndarray or object
        For a Pillow image the array of `pillow_array`; otherwise `image` itself.

    Raises
    ------
    ImageError
        It is the path of a file, or a Pillow image that cannot be converted.

    Examples
    --------
    >>> from PIL import Image
    >>> array_of(Image.new("CMYK", (3, 2))).shape
    (2, 3, 3)
    """
    if isinstance(image, str | bytes | os.PathLike):
        raise ImageError(
            f"the image is the path {shown_value(os.fsdecode(image))}; accepted: its pixels. Read "
            "the file first: encode(model, read_image(path))"
        )
    return pillow_array(image) if _is_pillow(image) else image


def pillow_array(image: Image.Image) -> NDArray[Any]:
    """Convert a Pillow image of any mode to gray, RGB or RGBA, upright.

    Parameters
    ----------
    image : PIL.Image.Image
        Its current frame is taken.

    Returns
    -------
    ndarray (y, x), (y, x, 3) or (y, x, 4)
        bool, uint8, uint16, int32 or float32, by the mode; rotated as EXIF says.

    Raises
    ------
    ImageError
        There are several frames and none was chosen, or the mode cannot be converted.

    Examples
    --------
    >>> from PIL import Image
    >>> pillow_array(Image.new("P", (3, 2))).shape
    (2, 3, 3)
    """
    pictures = count_pictures(image)
    if pictures > 1 and image.tell() == 0:
        raise ImageError(
            f"the Pillow image holds {pictures} pictures; choose one with image.seek(N) and give "
            "image.copy(), or read the file with read_image(path, page=N)"
        )
    image.load()  # a TIFF is turned upright here, and other formats find their EXIF
    return orient(picture_colors(image), orientation_of(image))


def count_pictures(image: Image.Image) -> int:
    """Return how many pictures a Pillow image holds, without layers and thumbnails.

    Examples
    --------
    >>> from PIL import Image
    >>> count_pictures(Image.new("L", (3, 2)))
    1
    """
    if image.format == "PSD":  # its frames are layers; what is opened is the merged picture
        return 1
    if image.format == "MPO":
        entries = getattr(image, "mpinfo", {}).get(0xB002, [])
        kinds = [str(entry["Attribute"]["MPType"]) for entry in entries]
        return max(1, sum(not kind.startswith(_LARGE_THUMBNAIL) for kind in kinds))
    return max(1, int(getattr(image, "n_frames", 1)))


def orientation_of(image: Image.Image) -> object:
    """Return the EXIF orientation of a loaded image, 1 where there is none.

    Examples
    --------
    >>> from PIL import Image
    >>> orientation_of(Image.new("L", (3, 2)))
    1
    """
    return image.getexif().get(_EXIF_ORIENTATION, 1)


def orient(pixels: NDArray[Any], orientation: object) -> NDArray[Any]:
    """Turn pixels upright by the value of the EXIF or TIFF orientation tag.

    Parameters
    ----------
    pixels : ndarray (y, x, ...)
        As stored.
    orientation : object
        1 to 8; any other value is not defined and changes nothing.

    Returns
    -------
    ndarray (y, x, ...)
        As it is to be seen.

    Examples
    --------
    >>> import numpy as np
    >>> orient(np.array([[1, 2], [3, 4]]), 3).tolist()
    [[4, 3], [2, 1]]
    """
    if orientation not in range(2, 9):
        return pixels
    if orientation in (5, 6, 7, 8):  # the first row is a side of the picture
        pixels = pixels.swapaxes(0, 1)
    upside_down = orientation in (3, 4, 7, 8)
    mirrored = orientation in (2, 3, 6, 7)
    turned = pixels[:: -1 if upside_down else 1, :: -1 if mirrored else 1]
    return np.ascontiguousarray(turned)  # many libraries take no negative strides


def picture_colors(image: Image.Image) -> NDArray[Any]:
    """Convert the current frame to gray, RGB or RGBA, as it is stored, not turned.

    Colors go through the color profile of the file, if it has one, to sRGB.

    Raises
    ------
    ImageError
        The mode cannot be converted.

    Examples
    --------
    >>> from PIL import Image
    >>> picture_colors(Image.new("LA", (3, 2))).shape
    (2, 3, 4)
    """
    colors = _stored_colors(image)
    profile: bytes = image.info.get("icc_profile") or b""
    if colors.ndim == 2 or colors.dtype != np.uint8 or not needs_profile(profile):
        return colors
    from PIL import Image, ImageCms

    stored = Image.fromarray(np.ascontiguousarray(colors[..., :3]))
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    srgb = ImageCms.profileToProfile(stored, source, ImageCms.createProfile("sRGB"))
    return np.concatenate([np.asarray(srgb), colors[..., 3:]], axis=-1)


@lru_cache(maxsize=16)
def needs_profile(profile: bytes | None) -> bool:
    """Tell whether a color profile is one for RGB whose colors are not those of sRGB.

    Raises
    ------
    ImageError
        The profile is damaged.

    Examples
    --------
    >>> needs_profile(None)
    False
    """
    if not profile or profile[PROFILE_SPACE] != b"RGB ":
        return False
    from PIL import Image, ImageCms

    steps = np.arange(0, 256, 51, dtype=np.uint8)
    colors = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(1, -1, 3)
    try:
        seen = ImageCms.profileToProfile(
            Image.fromarray(colors),
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
        )
    except (ImageCms.PyCMSError, OSError) as error:
        raise ImageError(
            f"the color profile of the image cannot be used ({shown_value(error)}); convert the "
            "image to sRGB, or remove its profile, in the program that made it"
        ) from error
    return bool(np.abs(np.asarray(seen).astype(int) - colors).max() > _SAME_COLORS)


def _stored_colors(image: Image.Image) -> NDArray[Any]:
    mode = image.mode
    if mode.startswith("I;16"):
        return _gray16(image)
    if "transparency" in image.info and mode in ("1", "L", "P", "RGB"):
        return np.asarray(image.convert("RGBA"))
    if mode in ("1", "L", "I", "F", "RGB", "RGBA"):
        return np.asarray(image)
    if mode in ("LA", "La", "PA", "RGBa"):
        image = image.convert("LA") if mode == "La" else image
        return np.asarray(image.convert("RGBA"))
    if mode in ("P", "RGBX", "YCbCr", "HSV"):
        return np.asarray(image.convert("RGB"))
    if mode in ("CMYK", "LAB"):
        return _through_profile(image)
    raise ImageError(
        f"the Pillow image has the mode {mode!r}, which is not known here; convert it with "
        "image.convert('RGB')"
    )


def _is_pillow(image: object) -> TypeGuard[Image.Image]:
    """Tell whether it is a Pillow image; where Pillow was never imported, nothing is."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(image, module.Image)


def _gray16(image: Image.Image) -> NDArray[Any]:
    """Return 16-bit gray values, and RGBA where one of them is declared transparent."""
    gray = np.asarray(image).astype(np.uint16, copy=False)
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int):
        return gray
    opacity = np.where(gray == transparent, 0, 65535).astype(np.uint16)
    return np.stack([gray, gray, gray, opacity], axis=-1)


def _through_profile(image: Image.Image) -> NDArray[Any]:
    """Convert CMYK or LAB to RGB, by the file's color profile if it has a fitting one."""
    from PIL import ImageCms

    try:
        source = _profile_of(image)
        if source is None and image.mode == "CMYK":
            return np.asarray(image.convert("RGB"))
        source = source or ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        rgb = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError) as error:
        raise ImageError(
            f"the color profile of the {image.mode} image cannot be used ({error}); convert the "
            "image to RGB in the program that made it"
        ) from error
    return np.asarray(rgb)


def _profile_of(image: Image.Image) -> Any:
    """Return the embedded profile, or None where it describes other colors than the image's."""
    from PIL import ImageCms

    content = image.info.get("icc_profile")
    if not content:
        return None
    profile = ImageCms.ImageCmsProfile(io.BytesIO(content))
    return profile if profile.profile.xcolor_space.strip().upper() == image.mode else None
