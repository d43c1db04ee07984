"""Encode an image, starting from what the cache holds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import ArrayLike

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.channel import Channel, as_channels
from napari_clip_heatmap.imaging.lattice import OVERLAP, Quality, plan
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.batches import read_now
from napari_clip_heatmap.pipeline.progressive import (
    Progress,
    check_encode_settings,
    encode_progressively,
)
from napari_clip_heatmap.pipeline.storage.cache import Pixels, key_of, pixels_of

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

__all__ = ["encode_cached"]

log = logging.getLogger(__name__)


def encode_cached(
    model: ClipModel,
    image: ArrayLike | Channel | Sequence[Channel],
    *,
    cache: EncodingCache,
    encode: Callable[..., Iterator[Progress]] = encode_progressively,
    view: View | None = None,
    region: Region | None = None,
    downsample: float | Literal["auto"] = "auto",
    overlap: float = OVERLAP,
    quality: Quality = "standard",
    resume: Encoding | None = None,
    **settings: Any,
) -> Iterator[Progress]:
    """Encode as `encode_progressively` does, continuing from what is cached on disk.

    New tiles are stored when this ends, however it ends, by the thread in which it ends.

    Parameters
    ----------
    model, image, view, region, downsample, overlap, quality, resume
        As `encode_progressively` takes them. With `resume`, nothing is read from disk.
    cache : EncodingCache
    encode : callable
        Used instead of `encode_progressively`.
    **settings
        Its other parameters.

    Yields
    ------
    Progress

    Raises
    ------
    ImageError, SettingsError, Cancelled
        As `encode_progressively` does.
    """
    check_encode_settings(view, region, None, None, resume, None)
    channels, view, region = as_channels(image), view or View(), region or Region()
    tiling: dict[str, Any] = {"downsample": downsample, "overlap": overlap, "quality": quality}
    shape = channels[0].shape
    lattice, _ = plan(shape, tile=model.image_size, patch=model.patch_size, **tiling)

    def key(pixels: Pixels) -> str:
        return key_of(pixels, model, channels, view, lattice)

    known = resume is not None and replace(resume, region=region).complete
    pixels = None if known else read_now(pixels_of, channels)
    if resume is None and pixels is not None:
        resume = cache.get(key(pixels), model)
    before = 0 if resume is None else int(resume.accumulator.tile_mask.sum())
    encoding = None
    try:
        for record in encode(
            model, channels, view=view, region=region, resume=resume, **tiling, **settings
        ):
            encoding = record.encoding
            yield record
    finally:
        new = encoding is not None and encoding.accumulator.tile_mask.sum() > before
        if encoding and new and pixels is not None and _unchanged(pixels, channels):
            # A model whose device failed has moved to another, so its key may have changed.
            cache.put(key(pixels), encoding)


def _unchanged(pixels: Pixels, channels: Sequence[Channel]) -> bool:
    """Return whether an image is unchanged: it may have been painted on during the run."""
    try:
        now = read_now(pixels_of, channels)
    except ImageError as error:
        log.warning("An encoding is not cached, because its image cannot be read again: %s", error)
        return False
    if now != pixels:
        log.warning("An encoding is not cached, because its image changed while it was encoded")
    return now == pixels
