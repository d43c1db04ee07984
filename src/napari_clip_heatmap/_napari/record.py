"""What a heatmap layer says of itself: ``layer.metadata["clip_heatmap"]``."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_clip_heatmap._napari.session import Answer

__all__ = ["records"]


def records(answer: Answer, *, source: str, source_id: str, index: tuple[int, ...]) -> list[Any]:
    """Describe each heatmap of an answer, in values that JSON has.

    Parameters
    ----------
    answer : Answer
    source, source_id : str
        Name and unique id of the layer asked about.
    index : tuple of int
        The plane, on that layer's leading axes.

    Returns
    -------
    list of dict
        One per prompt, in order.
    """
    maps = answer.heatmaps
    tiling = dict(answer.encoding.describe())
    model: Any = tiling.pop("model")
    common = {
        "prompts": list(maps.prompts),
        "score": maps.score,
        "baseline": list(maps.baseline),
        "unit": "cosine",
        "notes": list(maps.notes),
        "model": model,
        "device": model.get("device"),
        "tiling": tiling,
        "source": source,
        "source_id": source_id,
        "slice": list(index),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(answer.seconds, 3),
        "version": version("napari-clip-heatmap"),
    }
    return [
        {"prompt": prompt, "similarity": float(similarity), **common}
        for prompt, similarity in zip(maps.prompts, maps.similarity, strict=True)
    ]
