"""The samples of a TIFF's plane as the picture that the tags say they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.color_conversion import (
    YCBCR_COEFFICIENTS,
    cmyk_to_rgb,
    full_scale,
    inverted,
    lab_to_rgb,
    rgb_to_srgb,
    unmultiplied,
    ycbcr_to_rgb,
)
from napari_clip_heatmap.imaging.pillow_images import orient

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tifffile import TiffPage

    from napari_clip_heatmap.files.reading.imagej_lut import LookupTable
    from napari_clip_heatmap.files.reading.picture_choice import PictureChoice

__all__ = ["TiffPlane", "tiff_picture"]

_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _PALETTE, _MASK, _SEPARATED, _YCBCR, _CIELAB, _ICCLAB = (
    *range(7),
    *(8, 9),
)
"""Values of the tag PhotometricInterpretation."""

_N_COLORS = {
    **dict.fromkeys((_MIN_IS_WHITE, _MIN_IS_BLACK, _PALETTE, _MASK), 1),
    **dict.fromkeys((_RGB, _YCBCR, _CIELAB, _ICCLAB), 3),
    _SEPARATED: 4,
}

_UNREADABLE = {
    10: "ITU L*a*b* colors",
    32803: "raw values of a camera's color mosaic",
    32844: "logarithms of light (LogL)",
    32845: "logarithms of light (LogLuv)",
    34892: "raw linear values of a camera",
}
"""Other interpretations, in words."""

_DECODED_TO_RGB = (6, 7, 22610, 33007, 34892, 34927, 34934, 50001, 50002, 52546)
"""Compressions (JPEG, WebP, JPEG XR, JPEG XL) whose decoders turn YCbCr into RGB."""

_ASSOCIATED, _UNASSOCIATED = 1, 2
"""Values of the tag ExtraSamples that declare opacity: multiplied into the colors, and not."""

_COLOR_MAP, _ICC_PROFILE, _INK_SET, _COEFFICIENTS, _REFERENCE, _ORIENTATION, _NODATA = (
    *(320, 34675, 332, 529, 532, 274, 42113),
)
_NOT_CMYK = 2


@dataclass(frozen=True, eq=False)
class TiffPlane:
    """Stored samples of one plane, and what is needed to understand them.

    Parameters
    ----------
    samples : ndarray (y, x) or (y, x, sample)
        As stored.
    page : TiffPage
        Whose tags describe them.
    table : LookupTable, optional
        ImageJ's lookup table for gray values.

    Examples
    --------
    >>> plane = TiffPlane(page.asarray(), page)  # doctest: +SKIP
    """

    samples: NDArray[Any]
    page: TiffPage
    table: LookupTable | None = None


def tiff_picture(plane: TiffPlane, choice: PictureChoice, name: str) -> NDArray[Any]:
    """Return gray, RGB or RGBA as the tags declare the samples, upright.

    Parameters
    ----------
    plane : TiffPlane
    choice : PictureChoice
        Its `channel` chooses among the samples.
    name : str
        What errors call the file.

    Returns
    -------
    ndarray (y, x), (y, x, 3) or (y, x, 4)
        As deep as stored; fewer than 8 bits (but more than 1) are brought to 8.

    Raises
    ------
    ImageError
        The samples are of a kind that is no picture, or it is not declared what they are.

    Examples
    --------
    >>> import numpy as np, tifffile
    >>> from napari_clip_heatmap.files.reading.picture_choice import PictureChoice
    >>> tifffile.imwrite("a.tif", np.zeros((2, 3), np.uint8), photometric="miniswhite")
    >>> with tifffile.TiffFile("a.tif") as tiff:
    ...     page = tiff.pages[0]
    ...     tiff_picture(TiffPlane(page.asarray(), page), PictureChoice(), "'a.tif'").tolist()
    [[255, 255, 255], [255, 255, 255]]
    """
    pixels, page = plane.samples, plane.page
    if pixels.dtype.kind not in "buif":
        raise ImageError(
            f"{name} holds values of type {pixels.dtype}; accepted: booleans, integers and real "
            "floats. Save its magnitude or its phase as an image of floats"
        )
    n_colors = _n_colors(page, name)
    n_samples = pixels.shape[2] if pixels.ndim == 3 else 1
    extras = _extras(page, n_samples - n_colors)
    if n_samples == 1 < n_colors:  # one of three planes that were stored as channels
        if int(page.photometric) != _RGB and int(page.samplesperpixel) < n_colors:
            raise ImageError(
                f"{name} is declared to hold {n_colors} colors and has 1 sample per pixel; it may "
                "be damaged: copy it again, or save it as RGB in the program that made it"
            )
        seen = _eight_bits(pixels.reshape(pixels.shape[:2]), page)
    elif n_samples >= n_colors and extras in ([], [_ASSOCIATED], [_UNASSOCIATED]):
        seen = choice.of_channels(_colors_and_opacity(plane, n_colors, extras, name), name)
    else:
        seen = _chosen_samples(plane, choice, name)
    seen = _without_nodata(seen, page.tags.valueof(_NODATA))
    return orient(seen, page.tags.valueof(_ORIENTATION, 1))


def _n_colors(page: TiffPage, name: str) -> int:
    photometric = int(page.photometric)
    if photometric not in _N_COLORS:
        what = _UNREADABLE.get(photometric, f"colors of an unknown kind ({photometric})")
        raise ImageError(
            f"{name} holds {what}, which are no picture yet; develop or convert it to an RGB TIFF "
            "in the program that made it"
        )
    if photometric == _SEPARATED and page.tags.valueof(_INK_SET, 1) == _NOT_CMYK:
        raise ImageError(
            f"{name} holds inks other than cyan, magenta, yellow and black; convert it to RGB in "
            "the program that made it"
        )
    return _N_COLORS[photometric]


def _extras(page: TiffPage, count: int) -> list[int]:
    """Return what each sample beyond the colors is declared to be; 0 for nothing."""
    declared = [int(each) for each in page.extrasamples]
    missing = max(0, count - len(declared))
    return ([0] * missing + declared)[: max(count, 0)]


def _chosen_samples(plane: TiffPlane, choice: PictureChoice, name: str) -> NDArray[Any]:
    """Return samples that are not declared to be colors or opacity, as the caller chose them."""
    pixels, count = plane.samples, plane.samples.shape[-1] if plane.samples.ndim == 3 else 1
    chosen = choice.channels
    if not chosen or max(chosen) >= count:
        asked = f", and no channel {max(chosen)}" if chosen else ""
        three = ", or three to show as red, green and blue: channel=(0, 1, 2)" if count > 2 else ""
        raise ImageError(
            f"{name} has {count} samples per pixel{asked}, and does not declare all of them as "
            f"colors or opacity; choose with channel=0 to {count - 1}{three} (in the shell "
            f"--channel {'0,1,2' if count > 2 else '0'})"
        )
    picked = pixels[..., chosen[0]] if len(chosen) == 1 else pixels[..., list(chosen)]
    if int(plane.page.photometric) == _MIN_IS_WHITE and chosen == (0,):
        picked = inverted(picked, _bits(plane.page))
    return _eight_bits(picked, plane.page)


def _colors_and_opacity(
    plane: TiffPlane, n_colors: int, extras: list[int], name: str
) -> NDArray[Any]:
    pixels = plane.samples if plane.samples.ndim == 3 else plane.samples[..., np.newaxis]
    colors = _colors(pixels[..., :n_colors], plane, name)
    if not extras:
        return colors
    opacity = _eight_bits(pixels[..., n_colors:], plane.page)
    colors = colors[..., np.newaxis] if colors.ndim == 2 else colors
    if colors.dtype != opacity.dtype:  # a palette's colors have 8 bits whatever its indices have
        ratio = full_scale(colors.dtype) / full_scale(opacity.dtype)
        opacity = np.rint(opacity * ratio).astype(colors.dtype)
    if extras[0] == _ASSOCIATED:
        colors = unmultiplied(colors, opacity)
    return np.concatenate([colors] * (3 // colors.shape[2]) + [opacity], axis=-1)


def _colors(samples: NDArray[Any], plane: TiffPlane, name: str) -> NDArray[Any]:
    """Return gray (y, x) or RGB (y, x, 3)."""
    page, photometric = plane.page, int(plane.page.photometric)
    profile = page.tags.valueof(_ICC_PROFILE)
    if photometric == _PALETTE:
        colors = _looked_up(samples[..., 0], page.tags.valueof(_COLOR_MAP), name)
        return rgb_to_srgb(colors, profile)
    if photometric in (_SEPARATED, _CIELAB, _ICCLAB, _YCBCR):
        samples = _unsigned(samples, name)
    if photometric == _SEPARATED:
        return cmyk_to_rgb(samples, profile)
    if photometric in (_CIELAB, _ICCLAB):
        return lab_to_rgb(samples, offset=photometric == _ICCLAB, profile=profile)
    if photometric == _YCBCR and int(page.compression) not in _DECODED_TO_RGB:
        coefficients = _rationals(page.tags.valueof(_COEFFICIENTS), 3) or YCBCR_COEFFICIENTS
        reference = _rationals(page.tags.valueof(_REFERENCE), 6)
        return rgb_to_srgb(ycbcr_to_rgb(samples, coefficients, reference), profile)
    if samples.shape[2] == 3:
        return rgb_to_srgb(_eight_bits(samples, page), profile)
    gray = samples[..., 0]
    if photometric == _MIN_IS_WHITE:
        gray = inverted(gray, _bits(page))
    elif plane.table is not None:
        return plane.table.apply(gray)
    return _eight_bits(gray, page)


def _looked_up(indices: NDArray[Any], table: Any, name: str) -> NDArray[np.uint8]:
    """Return a palette's colors; some programs write them with 8 bits instead of 16."""
    if table is None or indices.dtype.kind not in "bu":
        raise ImageError(f"{name} is declared to have a palette and has none; save it as RGB")
    colors = np.asarray(table).T
    colors = (colors >> 8 if colors.max() > 255 else colors).astype(np.uint8)
    numbers = indices.astype(np.intp)
    if numbers.size and numbers.max() >= len(colors):
        raise ImageError(
            f"{name} has a palette of {len(colors)} colors and the index {numbers.max()}; save it "
            "as RGB"
        )
    return colors[numbers]


def _unsigned(samples: NDArray[Any], name: str) -> NDArray[Any]:
    """Return the stored bits of 8- or 16-bit samples."""
    if samples.dtype.kind not in "ui" or samples.dtype.itemsize > 2:
        raise ImageError(
            f"{name} holds colors other than RGB as {samples.dtype}; accepted: 8 or 16 bits. "
            "Convert it to RGB in the program that made it"
        )
    native = np.ascontiguousarray(samples, samples.dtype.newbyteorder("="))
    return native.view(f"u{samples.dtype.itemsize}")


def _eight_bits(values: NDArray[Any], page: TiffPage) -> NDArray[Any]:
    """Bring 2 to 7 bits to the range of 8, as white must not depend on how it is packed."""
    bits = _bits(page)
    if values.dtype != np.uint8 or not 1 < bits < 8:
        return values
    ramp = np.rint(np.arange(256) * (255 / ((1 << bits) - 1))).clip(0, 255).astype(np.uint8)
    scaled: NDArray[Any] = ramp[values]
    return scaled


def _bits(page: TiffPage) -> int:
    """Return the bits of a sample; where samples differ, tifffile has brought them to one type."""
    bits = page.bitspersample
    whole = 0 if page.dtype is None else 8 * page.dtype.itemsize
    return int(bits) if np.ndim(bits) == 0 else whole


def _rationals(value: Any, count: int) -> tuple[float, ...] | None:
    """Return the numbers of a tag; tifffile gives numerators and denominators."""
    if value is None or len(value) not in (count, 2 * count):
        return None
    if len(value) == count:
        return tuple(float(each) for each in value)
    pairs = zip(value[::2], value[1::2], strict=True)
    return tuple(above / below if below else 0.0 for above, below in pairs)


def _without_nodata(pixels: NDArray[Any], declared: Any) -> NDArray[Any]:
    """Leave out values that GDAL's tag declares to be no data: NaN, or masked in integers."""
    try:
        value = float(declared or "none")
    except ValueError:
        return pixels
    missing = pixels == value
    if pixels.ndim == 3:
        missing = np.broadcast_to(missing[..., :3].all(axis=-1, keepdims=True), pixels.shape)
    if not missing.any():
        return pixels
    if pixels.dtype.kind == "f":
        return np.where(missing, pixels.dtype.type(np.nan), pixels)
    return np.ma.MaskedArray(pixels, missing)
