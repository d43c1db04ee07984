"""Slides that tifffile does not read (MIRAX, Hamamatsu VMS, Sakura), by OpenSlide."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.annotation.geometry import PixelSize
from napari_clip_heatmap.batch.inputs.batch_image import BatchImage, ImageEntry
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.files.reading.picture_choice import short_name
from napari_clip_heatmap.imaging.channel import Channel

__all__ = ["SLIDE_SUFFIXES", "open_slide"]

SLIDE_SUFFIXES = frozenset((".mrxs", ".vms", ".vmu", ".svslide"))
"""Files that are given to OpenSlide."""


def open_slide(entry: ImageEntry) -> BatchImage:
    """Open a slide with all its levels; nothing of its pixels is read.

    Raises
    ------
    ImageError
        OpenSlide is not installed, or cannot read the slide.

    Examples
    --------
    >>> open_slide(ImageEntry("slide.mrxs", reader="slide"))  # doctest: +SKIP
    """
    name = short_name(entry.source)
    try:
        import openslide
    except ImportError as error:
        raise ImageError(
            f"{name} is read by OpenSlide, which is not here ({error}); install it: pip install "
            "'napari-clip-heatmap[slides]'"
        ) from error
    try:
        slide = openslide.OpenSlide(entry.source)
    except (openslide.OpenSlideError, OSError) as error:
        raise ImageError(
            f"{name} could not be read by OpenSlide ({error}); copy it again, with the folder of "
            "its name where it has one"
        ) from error
    levels = tuple(_SlideLevel(slide, number) for number in range(slide.level_count))
    sizes = [slide.properties.get(f"openslide.mpp-{axis}") for axis in "yx"]
    y, x = (float(size) if size else 0.0 for size in sizes)
    height, width = levels[0].shape[:2]
    return BatchImage(
        axes=(),
        lengths=(),
        shape=(height, width),
        dtype="uint8",
        stored_shape=levels[0].shape,
        channels=lambda index: (Channel(levels),),
        pixel_size=PixelSize(y, x, "micrometer") if y > 0 and x > 0 else None,
    )


class _SlideLevel:
    """One level of a slide as an array (y, x, 3), read where it is sliced."""

    def __init__(self, slide: Any, number: int) -> None:
        self._slide, self._number = slide, number
        self._downsample = float(slide.level_downsamples[number])
        width, height = slide.level_dimensions[number]
        self.shape = (int(height), int(width), 3)
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)
        background = slide.properties.get("openslide.background-color", "FFFFFF")
        self._background = [int(background[place : place + 2], 16) for place in (0, 2, 4)]
        if number == 0:
            weakref.finalize(self, slide.close)

    def __getitem__(self, key: tuple[slice, ...]) -> NDArray[np.uint8]:
        (top, bottom, _), (left, right, _) = (
            part.indices(length) for part, length in zip(key[:2], self.shape[:2], strict=True)
        )
        corner = round(left * self._downsample), round(top * self._downsample)
        region = self._slide.read_region(corner, self._number, (right - left, bottom - top))
        return _over(np.asarray(region), self._background)


def _over(rgba: NDArray[np.uint8], background: list[int]) -> NDArray[np.uint8]:
    """Return colors over the background of the slide: what was not scanned is transparent."""
    opacity = rgba[..., 3:].astype(np.float32) / 255
    if (opacity == 1).all():
        return rgba[..., :3]
    mixed = rgba[..., :3] * opacity + np.array(background, np.float32) * (1 - opacity)
    return np.rint(mixed).astype(np.uint8)
