"""Encode a whole image, of any size and shape, in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import ArrayLike

from napari_clip_heatmap.errors import SettingsError, shown_value
from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.lattice import OVERLAP, Quality
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.encoding import Encoding
from napari_clip_heatmap.pipeline.progressive import Progress, encode_progressively
from napari_clip_heatmap.pipeline.storage.cached_encode import encode_cached
from napari_clip_heatmap.validation import function

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
    overlap: float = OVERLAP,
    quality: Quality = "standard",
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    cache: EncodingCache | None = None,
) -> Encoding:
    """Do what `napari_clip_heatmap.encode` says."""
    _check(model, progress, cache)
    steps: Callable[..., Iterator[Progress]]
    steps = encode_progressively if cache is None else partial(encode_cached, cache=cache)
    for record in steps(
        model,
        _without_torch(image),
        view=view,
        region=region,
        downsample=downsample,
        overlap=overlap,
        quality=quality,
        batch_size=batch_size,
        coarse=False,
        cancelled=cancelled,
    ):
        if progress is not None:
            progress(record.done, record.total)
    return record.encoding


def _without_torch(image: Any) -> Any:
    """Return a tensor as an array: NumPy reads no bfloat16, no gradients and no GPU."""
    if not str(getattr(image, "dtype", "")).startswith("torch."):
        return image
    image = image.detach().cpu()
    return (image.float() if str(image.dtype) == "torch.bfloat16" else image).numpy()


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
