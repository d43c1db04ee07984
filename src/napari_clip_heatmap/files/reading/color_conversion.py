"""Samples of other color spaces as red, green and blue, in the depth that they have."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.pillow_images import PROFILE_SPACE, needs_profile

__all__ = [
    "YCBCR_COEFFICIENTS",
    "cmyk_to_rgb",
    "full_scale",
    "inverted",
    "lab_to_rgb",
    "rgb_to_srgb",
    "unmultiplied",
    "ycbcr_to_rgb",
]

YCBCR_COEFFICIENTS = (0.299, 0.587, 0.114)
"""Luma of red, green and blue, as in JPEG and as TIFF assumes where nothing is said."""


def cmyk_to_rgb(samples: NDArray[Any], profile: bytes | None = None) -> NDArray[Any]:
    """Convert cyan, magenta, yellow and black, 0 for no ink.

    Parameters
    ----------
    samples : uint8 or uint16 (y, x, 4)
    profile : bytes, optional
        The file's ICC profile; one that is not for CMYK is left out. Without one, each color is
        what both inks let through, (1 - C) (1 - K), as Pillow converts.

    Returns
    -------
    ndarray (y, x, 3)
        Of the same type.

    Examples
    --------
    >>> import numpy as np
    >>> cmyk_to_rgb(np.array([[[255, 0, 0, 0]]], np.uint8)).tolist()
    [[[0, 255, 255]]]
    """
    if profile is not None and profile[PROFILE_SPACE] == b"CMYK":
        return _through_profile(samples, profile, "cmyk")
    full = full_scale(samples.dtype)
    light = (full - samples.astype(np.float32)) / np.float32(full)
    rgb: NDArray[Any] = np.rint(light[..., :3] * light[..., 3:] * full).astype(samples.dtype)
    return rgb


def lab_to_rgb(
    samples: NDArray[Any], *, offset: bool, profile: bytes | None = None
) -> NDArray[Any]:
    """Convert CIE L*a*b* as TIFF stores it to sRGB.

    Parameters
    ----------
    samples : uint8 or uint16 (y, x, 3)
        L*, a* and b* as the bits that are stored.
    offset : bool
        Whether a* and b* are stored with half the scale added (ICC L*a*b*), else as two's
        complement (CIE L*a*b*).
    profile : bytes, optional
        The file's ICC profile; one that is not for L*a*b* is left out.

    Returns
    -------
    ndarray (y, x, 3)
        Of the same type.

    Examples
    --------
    >>> import numpy as np
    >>> lab_to_rgb(np.array([[[65535, 0, 0]]], np.uint16), offset=False).tolist()
    [[[65535, 65535, 65535]]]
    """
    lab = samples.copy()
    if not offset:
        lab[..., 1:] ^= samples.dtype.type(1 << (8 * samples.dtype.itemsize - 1))
    if samples.dtype == np.uint16:  # TIFF counts a* and b* in 1/256, the ICC in 1/257
        step = np.array([65535 / 65280 if offset else 1, 257 / 256, 257 / 256])
        lab = np.rint(np.minimum(lab * step, 65535)).astype(np.uint16)
    if profile is None or profile[PROFILE_SPACE] != b"Lab ":
        profile = _plain_profile("LAB")
    return _through_profile(lab, profile, "lab")


def rgb_to_srgb(samples: NDArray[Any], profile: bytes | None) -> NDArray[Any]:
    """Convert red, green and blue to sRGB by the file's color profile.

    Parameters
    ----------
    samples : ndarray (y, x, 3)
        Of 8 or 16 bits; other types have no agreed white, and are left as they are.
    profile : bytes, optional
        The file's ICC profile; one that is not for RGB, or is that of sRGB, is left out.

    Returns
    -------
    ndarray (y, x, 3)
        Of the same type.

    Raises
    ------
    ImageError
        The profile is damaged.

    Examples
    --------
    >>> import numpy as np
    >>> rgb_to_srgb(np.array([[[9, 8, 7]]], np.uint8), None).tolist()
    [[[9, 8, 7]]]
    """
    if profile is None or samples.dtype not in (np.uint8, np.uint16) or not needs_profile(profile):
        return samples
    return _through_profile(samples, profile, "rgb")


def ycbcr_to_rgb(
    samples: NDArray[Any],
    coefficients: tuple[float, ...] = YCBCR_COEFFICIENTS,
    reference: tuple[float, ...] | None = None,
) -> NDArray[Any]:
    """Convert luma and chroma by the rules of TIFF 6.0, section 21.

    Parameters
    ----------
    samples : uint8 or uint16 (y, x, 3)
        Y, Cb and Cr of every pixel.
    coefficients : three float
        Luma of red, green and blue.
    reference : six float, optional
        Codes of black and white of Y, Cb and Cr; by default the full range.

    Returns
    -------
    ndarray (y, x, 3)
        Of the same type.

    Examples
    --------
    >>> import numpy as np
    >>> ycbcr_to_rgb(np.array([[[76, 85, 255]]], np.uint8)).tolist()
    [[[254, 0, 0]]]
    """
    full = full_scale(samples.dtype)
    half = (full + 1) // 2
    black = np.array(reference[::2] if reference else (0, half, half), np.float32)
    white = np.array(reference[1::2] if reference else (full, full, full), np.float32)
    scale = np.array([full, half - 1, half - 1], np.float32) / (white - black)
    luma, blue, red = np.moveaxis((samples.astype(np.float32) - black) * scale, -1, 0)
    of_red, of_green, of_blue = coefficients
    r = luma + (2 - 2 * of_red) * red
    b = luma + (2 - 2 * of_blue) * blue
    g = (luma - of_red * r - of_blue * b) / of_green
    rgb = np.clip(np.rint(np.stack([r, g, b], axis=-1)), 0, full)
    return np.asarray(rgb, samples.dtype)


def unmultiplied(colors: NDArray[Any], opacity: NDArray[Any]) -> NDArray[Any]:
    """Divide colors by the opacity that they were multiplied with; the invisible become 0.

    Parameters
    ----------
    colors, opacity : ndarray (y, x, n), (y, x, 1)
        Unsigned integers or floats of one type.

    Examples
    --------
    >>> import numpy as np
    >>> unmultiplied(np.array([[[60]]], np.uint8), np.array([[[120]]], np.uint8)).tolist()
    [[[128]]]
    """
    full = full_scale(colors.dtype)
    number = np.float64 if colors.dtype.itemsize > 2 else np.float32
    shown: NDArray[Any] = np.broadcast_to(opacity.astype(number), colors.shape)
    plain = np.zeros_like(shown)
    np.divide(colors.astype(number) * full, shown, where=opacity > 0, out=plain)
    whole = plain if colors.dtype.kind == "f" else np.minimum(np.rint(plain), full)
    return np.asarray(whole, colors.dtype)


def inverted(gray: NDArray[Any], bits: int) -> NDArray[Any]:
    """Return values whose smallest was meant to be white, so that it is the largest.

    Parameters
    ----------
    gray : ndarray
        bool, integer or float.
    bits : int
        How many of them unsigned values may use. Floats have no white of their own: they keep
        their range.

    Examples
    --------
    >>> import numpy as np
    >>> inverted(np.array([0, 15], np.uint8), 4).tolist()
    [15, 0]
    """
    kind = gray.dtype.kind
    if kind in "bi":
        return np.asarray(~gray)
    if kind == "u":
        return np.asarray(gray.dtype.type((1 << bits) - 1) - gray)
    finite = gray[np.isfinite(gray)]
    return np.asarray((finite.min() + finite.max()) - gray) if finite.size else gray


def full_scale(dtype: np.dtype[Any]) -> int:
    """Return the value of full intensity: the largest of an integer type, 1 for floats.

    Examples
    --------
    >>> import numpy as np
    >>> full_scale(np.dtype(np.uint8))
    255
    """
    return int(np.iinfo(dtype).max) if dtype.kind in "ui" else 1


def _through_profile(samples: NDArray[Any], profile: bytes, space: str) -> NDArray[Any]:
    """Convert to sRGB with LittleCMS, which keeps 16 bits."""
    import imagecodecs

    rgb: NDArray[Any] = imagecodecs.cms_transform(
        np.ascontiguousarray(samples),
        profile,
        _plain_profile("sRGB"),
        colorspace=space,
        outcolorspace="rgb",
        outdtype=samples.dtype,
    )
    return rgb


def _plain_profile(space: Literal["LAB", "sRGB"]) -> bytes:
    """Return the ICC profile of a color space that needs no device."""
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile(space)).tobytes()
