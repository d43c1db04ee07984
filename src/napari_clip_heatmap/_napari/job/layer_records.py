"""What a heatmap layer says of itself: ``layer.metadata["clip_heatmap"]``."""

from __future__ import annotations

import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap.imaging.compositing import ThickPlane

if TYPE_CHECKING:
    from napari_clip_heatmap._napari.job.request import HeatmapRequest, HeatmapResult
    from napari_clip_heatmap.imaging.channel import Channel

__all__ = ["layer_records"]


def layer_records(
    result: HeatmapResult, request: HeatmapRequest, *, source: str, source_id: str
) -> list[Any]:
    """Describe each heatmap of a result, in values that JSON has.

    Parameters
    ----------
    result : HeatmapResult
        May still be on its way; then ``complete`` is false.
    request : HeatmapRequest
    source, source_id : str
        Name and unique id of the layer asked about.

    Returns
    -------
    list of dict
        One per prompt, in order.
    """
    tiling, scoring = dict(result.tiling), result.scoring
    model: Any = tiling.pop("model", {})
    common = {
        "prompts": list(scoring.prompts),
        "score": scoring.score,
        "baseline": list(scoring.baseline),
        "templates": list(scoring.templates),
        "unit": scoring.unit,
        "notes": list(result.notes),
        "model": model,
        "weights_sha256": model.get("weights_sha256"),
        "device": model.get("device"),
        "precision": model.get("precision"),
        "versions": {**model.get("versions", {}), **_versions()},
        "tiling": tiling,
        "downsample": tiling.get("downsample"),
        "view": request.view_record,
        "channels": list(request.channel_names),
        "origins": _origins(request),
        "region": request.region_record,
        "source": source,
        "source_id": source_id,
        "slice": list(request.planes[0].index),
        "slices": [list(index) for index in result.planes],
        "complete": result.complete,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(result.seconds, 3),
        "version": version("napari-clip-heatmap"),
    }
    return [
        {
            "prompt": prompt,
            "row": key,
            "direction": recipe,
            "similarity": float(similarity),
            **common,
        }
        for prompt, key, recipe, similarity in zip(
            scoring.prompts, result.keys, scoring.recipes, result.similarity, strict=True
        )
    ]


def _versions() -> dict[str, str]:
    """Return what else took part, beside what the model ran in."""
    return {"napari": version("napari"), "python": platform.python_version()}


def _projection(channel: Channel) -> dict[str, Any] | None:
    """Return which planes of a thick slice were made one, and how."""
    level = channel.levels[0]
    if not isinstance(level, ThickPlane):
        return None
    return {"name": level.projection, "ranges": [list(each) for each in level.ranges]}


def _origins(request: HeatmapRequest) -> list[dict[str, Any]]:
    """Return where each channel comes from, and how it was shown."""
    return [
        {
            **origin,
            "limits": channel.limits and [float(limit) for limit in channel.limits],
            "gamma": float(channel.gamma),
            "blend": None if channel.blend is None else asdict(channel.blend),
            "projection": _projection(channel),
        }
        for origin, channel in zip(request.origins, request.planes[0].channels, strict=False)
    ]
