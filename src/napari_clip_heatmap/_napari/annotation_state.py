"""What the dock knows of objects: settings, counts, figures of slices, and names by words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from psygnal import SignalGroupDescriptor

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_clip_heatmap.pipeline.objects.object_scores import ObjectScores

__all__ = [
    "BY_HAND",
    "AnnotationState",
    "ClassifiedLayer",
    "ObjectRule",
    "ObjectSettings",
    "ReplaceAnswer",
    "SliceFigures",
    "read_object_settings",
]

BY_HAND = "by hand"
"""The threshold that the slider sets; the others are learnt from each map."""


class ObjectRule(StrEnum):
    """Which pixels are an object."""

    PROMPT = "prompt"
    """Those of one map above its threshold."""
    EVERY = "every"
    """Those of each map above its own threshold."""
    WINNER = "winner"
    """Those where one prompt's map is above all others."""


class ReplaceAnswer(StrEnum):
    """What to do with a layer that the user has changed."""

    REPLACE = "replace"
    NEW = "new layer"
    CANCEL = "cancel"


@dataclass(frozen=True)
class ObjectSettings:
    """How maps become objects.

    Parameters
    ----------
    rule : ObjectRule
    threshold : str
        "otsu", "yen", "triangle", or `BY_HAND`.
    margin : float
        Of a winner, in units of its map's range.
    min_area : float
        Image pixels.
    split, fill_holes : bool
    by_image : bool
        Whether outlines follow the image, or the map.
    all_slices : bool
        Whether all slices that have heatmaps are meant, or the one in view.
    limits : mapping of str to float
        Thresholds set by hand, in the unit of the map, by the key of the prompt's row.
    """

    rule: ObjectRule = ObjectRule.PROMPT
    threshold: str = "otsu"
    margin: float = 0.0
    min_area: float = 0.0
    split: bool = False
    fill_holes: bool = True
    by_image: bool = True
    all_slices: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)

    def threshold_of(self, key: str) -> float | str:
        """Return the threshold of a row's map: a number, or how it is learnt."""
        if self.threshold != BY_HAND:
            return self.threshold
        return self.limits.get(key, "otsu")

    @property
    def split_method(self) -> str:
        """How objects that touch are separated, as `Heatmaps.objects` takes it."""
        return "watershed" if self.split else "none"


def read_object_settings(
    controls: Mapping[str, Any], limits: Mapping[str, float]
) -> ObjectSettings:
    """Return the settings that the controls have."""
    return ObjectSettings(
        rule=ObjectRule(controls["objects_of"]),
        threshold=controls["threshold_by"],
        margin=float(controls["margin"]),
        min_area=float(controls["min_size"]),
        split=bool(controls["split"]),
        fill_holes=bool(controls["fill_holes"]),
        by_image=bool(controls["by_image"]),
        all_slices=controls["object_slices"] == "all",
        limits=dict(limits),
    )


@dataclass(frozen=True)
class SliceFigures:
    """Objects of one prompt along an axis.

    Parameters
    ----------
    prompt, axis : str
    positions : tuple of int
        Slices, ascending.
    counts : tuple of int
        Objects in each.
    areas : tuple of float
        Image pixels of all of them.
    """

    prompt: str
    axis: str
    positions: tuple[int, ...]
    counts: tuple[int, ...]
    areas: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class ClassifiedLayer:
    """A Labels layer whose objects were named by words.

    Parameters
    ----------
    layer : Labels
    scores : ObjectScores
    """

    layer: Labels
    scores: ObjectScores


@dataclass
class AnnotationState:
    """What was found; every field emits when it changes, and holds immutable values.

    Parameters
    ----------
    limits : mapping of str to float
        Thresholds set by hand, by the key of the prompt's row.
    counts : mapping of str to int
        Objects that the settings give in the slice in view, by the key of the prompt's row.
    slices : tuple of SliceFigures
        Of the objects that were made last, one entry for each prompt.
    classified : ClassifiedLayer, optional
    gates : mapping of str to float
        Score from which an object passes, by prompt.
    undoable : str
        What can be undone, in words; empty where there is nothing.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    limits: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    slices: tuple[SliceFigures, ...] = ()
    classified: ClassifiedLayer | None = None
    gates: Mapping[str, float] = field(default_factory=dict)
    undoable: str = ""
