"""A whole image, of any size and shape, through the model, in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

from numpy.typing import ArrayLike

from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.region import Region
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
    """Show the whole image to the model, in overlapping tiles on one patch lattice.

    No pixel is left out: there is no centre crop, and an image smaller than a tile is continued by
    its reflection, which is context only. An image of exactly the model's input size, at
    ``downsample=1``, gives exactly the model's own token map.

    Parameters
    ----------
    model : ClipModel
        As `load_model` returns it.
    image : array (y, x), (y, x, 3) or (y, x, 4), Channel or sequence of Channel
        Gray, RGB or RGBA, of any boolean, integer or real floating type: in memory, mapped, dask or
        zarr, and then read a part at a time. NaN and infinite pixels are NaN in the heatmaps.
        Several channels are shown on top of one another.
    view : View, optional
        How values become colours; by default 8 bits as they are, other types by their range.
    region : Region, optional
        The part to look at; the heatmaps are NaN elsewhere. By default everything.
    downsample : float or "auto"
        Image pixels per pixel that the model looks at, averaged over their area; below 1 enlarges.
        "auto": the short side spans at most `AUTO_TILES` tiles, and nothing is ever enlarged.
    overlap : float
        Smallest share of a tile that its neighbour covers too, from 0 up to 0.9.
    batch_size : int, optional
        Tiles per pass through the model; by default what suits the device.
    progress : callable(done_tiles, all_tiles), optional
        Called before the first pass and after each.
    cancelled : callable() -> bool, optional
        Asked before each pass; once true, nothing more is computed.
    cache : EncodingCache, optional
        Where encodings are kept on disk: what is there is not computed again, and what is computed
        is put there. By default nothing is read or written.

    Returns
    -------
    Encoding

    Raises
    ------
    ImageError
        The image has no pixel, no valid one, or a shape or type that cannot be looked at.
    SettingsError
        A setting lies outside what is accepted.
    Cancelled
        The caller asked for it.
    """
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
