"""What a heatmap layer says of itself: ``layer.metadata["clip_heatmap"]``."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_clip_heatmap._napari.question import Answer, Question

__all__ = ["records"]


def records(answer: Answer, question: Question, *, source: str, source_id: str) -> list[Any]:
    """Describe each heatmap of an answer, in values that JSON has.

    Parameters
    ----------
    answer : Answer
        May still be on its way; then ``complete`` is false.
    question : Question
    source, source_id : str
        Name and unique id of the layer asked about.

    Returns
    -------
    list of dict
        One per prompt, in order.
    """
    tiling, scoring = dict(answer.tiling), answer.scoring
    model: Any = tiling.pop("model", {})
    common = {
        "prompts": list(scoring.prompts),
        "score": scoring.score,
        "baseline": list(scoring.baseline),
        "templates": list(scoring.templates),
        "unit": scoring.unit,
        "notes": list(scoring.notes),
        "model": model,
        "device": model.get("device"),
        "tiling": tiling,
        "downsample": tiling.get("downsample"),
        "view": question.view_record,
        "channels": list(question.channel_names),
        "region": question.region_record,
        "source": source,
        "source_id": source_id,
        "slice": list(question.planes[0].index),
        "slices": [list(index) for index in answer.planes],
        "complete": answer.complete,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(answer.seconds, 3),
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
            scoring.prompts, answer.keys, scoring.recipes, answer.similarity, strict=True
        )
    ]
