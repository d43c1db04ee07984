"""Encode a whole image, of any size and shape, in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

from numpy.typing import ArrayLike

from napari_clip_heatmap.errors import SettingsError, shown_value
from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.validation import function
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.encoding import Encoding
from napari_clip_heatmap.pipeline.progressive import Progress, encode_progressively
from napari_clip_heatmap.pipeline.storage.cached_encode import encode_cached

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel
    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

__all__ = ["encode"]


def encode(
    model: ClipModel,
    image: ArrayLike | Channel | Sequence[Channel],
    *,
    view: View | None = None,
    region: Region | None = None,
    downsample: float | Literal["auto"] = "auto",
    overlap: float = 0.5,
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    cache: EncodingCache | None = None,
) -> Encoding:
    """Encode a whole image in overlapping tiles on one patch lattice.

    No pixel is left out: there is no center crop, and an image smaller than a tile is padded with
    its reflection, as context. An image of exactly the model's input size, at ``downsample=1``,
    gives exactly the model's own token map.

    Parameters
    ----------
    model : ClipModel
        As `load_model` returns it.
    image : array (y, x), (y, x, 3) or (y, x, 4), Channel or sequence of Channel
        Gray, RGB or RGBA, of any boolean, integer or real floating type: in memory, mapped, dask or
        zarr, and then read a part at a time. A list of arrays is a pyramid, the finest level first.
        NaN and infinite pixels are NaN in the heatmaps. Several channels are added up.
    view : View, optional
        How values become colors. By default 8-bit values are taken as they are, other types by
        their robust range; the notes of the heatmaps say which.
    region : Region, optional
        The part to make heatmaps of; they are NaN elsewhere. By default everything.
    downsample : float or "auto"
        Image pixels per pixel that the model looks at, averaged over their area; below 1 enlarges.
        "auto": the short side is at most `AUTO_TILES` tiles long, and images much smaller than a
        tile are enlarged; the notes of the heatmaps say so.
    overlap : float
        Smallest fraction of a tile that its neighbor covers too, from 0 to 0.9.
    batch_size : int, optional
        Tiles per batch; by default what suits the device.
    progress : callable(done_tiles, all_tiles), optional
        Called before the first batch and after each.
    cancelled : callable() -> bool, optional
        Called before each batch; once it returns true, nothing more is computed.
    cache : EncodingCache, optional
        Encodings on disk: an image that was encoded before is not encoded again. By default nothing
        is read or written.

    Returns
    -------
    Encoding

    Raises
    ------
    ImageError
        The image or region has no valid pixel, or the image a wrong shape or type.
    SettingsError
        A setting has a wrong type or is outside its range.
    Cancelled
        `cancelled` returned true.

    Examples
    --------
    >>> model = nch.load_model("demo")
    >>> encoding = nch.encode(model, image, downsample=2)
    >>> maps = encoding.heatmaps(["nuclei", "filaments", "background"])
    """
    _check(model, progress, cache)
    steps: Callable[..., Iterator[Progress]]
    steps = encode_progressively if cache is None else partial(encode_cached, cache=cache)
    for record in steps(
        model,
        image,
        view=view,
        region=region,
        downsample=downsample,
        overlap=overlap,
        batch_size=batch_size,
        coarse=False,
        cancelled=cancelled,
    ):
        if progress is not None:
            progress(record.done, record.total)
    return record.encoding


def _check(model: object, progress: object, cache: object) -> None:
    """Check what `encode_progressively` does not check."""
    if not (hasattr(model, "token_map") and hasattr(model, "preprocess")):
        raise SettingsError(
            f"model is {shown_value(model)}; accepted: what load_model returns, such as "
            "load_model('demo')"
        )
    if progress is not None:
        function("progress", progress)
    if cache is not None and not (hasattr(cache, "get") and hasattr(cache, "put")):
        raise SettingsError(f"cache is {shown_value(cache)}; accepted: an EncodingCache, or None")
