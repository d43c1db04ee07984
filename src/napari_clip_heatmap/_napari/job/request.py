"""The records of background work: a request, its steps, its result."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_clip_heatmap.imaging.compositing import ThickPlane
from napari_clip_heatmap.imaging.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_clip_heatmap._napari.job.heatmap_stack import HeatmapStack
    from napari_clip_heatmap.imaging.channel import Channel
    from napari_clip_heatmap.imaging.lattice import Quality
    from napari_clip_heatmap.imaging.region import Region
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.score_registry import Score
    from napari_clip_heatmap.pipeline.scoring import Scoring
    from napari_clip_heatmap.prompting.example import Example

__all__ = [
    "HeatmapRequest",
    "HeatmapResult",
    "PlaneRequest",
    "ResultStatus",
    "RunStep",
    "layer_records",
]

Index = tuple[int, ...]


class ResultStatus(StrEnum):
    """How far a result is."""

    PARTIAL = "partial"
    """More is to come."""
    COMPLETE = "complete"
    CANCELLED = "cancelled"
    """By the user; a new run goes on from here."""
    STOPPED = "stopped"
    """By an error, or because the image changed; the message says which."""


@dataclass(frozen=True, eq=False)
class PlaneRequest:
    """One plane of a layer.

    Parameters
    ----------
    index : tuple of int
        Position on the layer's leading axes.
    channels : tuple of Channel
        The pixels of the plane, not read yet.
    """

    index: Index
    channels: tuple[Channel, ...]


@dataclass(frozen=True, eq=False)
class HeatmapRequest:
    """Which heatmaps of which planes are wanted, and how.

    Parameters
    ----------
    planes : tuple of PlaneRequest
        In the order of work; the first is the one in view.
    prompts : tuple of str or Example
    baseline : tuple of str
    keys : tuple of str
        Identifies each prompt's row and layer while its words are edited; by default the words.
    templates : str or tuple of str
        As `Encoding.heatmaps` takes them.
    leading : tuple of int
        Lengths of the layer's axes before (y, x).
    stores : tuple of array-like
        The layers' whole arrays (the finest level of pyramids), to recognize them by.
    model, device, precision, preprocess : str
        As `load_model` takes them; an empty `preprocess` means what the model's files say.
    score : str
        A name in `SCORES`
    view : View
    downsample : float or "auto"
        Image pixels per pixel of the model's input.
    quality : {"standard", "fine", "finest"}
        As `encode` takes it.
    region : Region, optional
        The part of the plane to encode; by default all of it.
    focus : (y, x), optional
        Where encoding begins, in image pixels.
    channel_names : tuple of str
        Names of the layers that are shown to the model together, the image first.
    origins : tuple of mapping
        Of the same layers: where they come from; see `origin_of`.
    region_record : object
        The region in values that JSON can hold.
    view_notes : tuple of str
        In which ways the model sees something else than the viewer shows.
    """

    planes: tuple[PlaneRequest, ...]
    prompts: tuple[str | Example, ...]
    keys: tuple[str, ...] = ()
    leading: Index = ()
    stores: tuple[Any, ...] = ()
    model: str = "demo"
    device: str = "auto"
    precision: str = "auto"
    preprocess: str = ""
    score: Score = "relative"
    baseline: tuple[str, ...] = ()
    templates: str | tuple[str, ...] = "plain"
    view: View = field(default_factory=View)
    downsample: float | Literal["auto"] = "auto"
    quality: Quality = "standard"
    region: Region | None = None
    focus: tuple[float, float] | None = None
    channel_names: tuple[str, ...] = ()
    origins: tuple[Mapping[str, Any], ...] = ()
    region_record: object = "whole image"
    view_notes: tuple[str, ...] = ()

    @property
    def loading(self) -> tuple[str, dict[str, str]]:
        """The model's name and its loading options, as `load_model` takes them."""
        options = {"device": self.device}
        if self.precision != "auto":
            options["precision"] = self.precision
        if self.preprocess:
            options["preprocess"] = self.preprocess
        return self.model, options

    @property
    def view_record(self) -> dict[str, object]:
        """How pixel values became colors, in values that JSON can hold."""
        record: dict[str, object] = {"mode": self.view.mode, "invert": self.view.invert}
        if self.view.mode == "percentile":
            record["percentiles"] = [self.view.low, self.view.high]
        if self.view.mode == "shown":
            channels = self.planes[0].channels
            record["limits"] = [channel.limits and list(channel.limits) for channel in channels]
            record["gamma"] = [channel.gamma for channel in channels]
        return record


@dataclass(frozen=True, eq=False)
class HeatmapResult:
    """The heatmaps of a request, complete or on their way.

    Parameters
    ----------
    stack : HeatmapStack
        The heatmaps; filled in place while the status is partial.
    limits : tuple of (float, float)
        Contrast limits per prompt.
    scoring : Scoring
        The prompts as directions, with notes on how to read their heatmaps.
    keys : tuple of str
        As in the request; of prompts that mean the same, the first one's.
    similarity : float32 (prompt,)
        Mean over tiles of the cosine with each prompt; NaN while unknown.
    unowned : float32 (prompt,)
        The part of it that no patch contributes; NaN where that is unknown.
    tiling : mapping
        As `Encoding.describe` returns it.
    encodings : mapping of tuple of int to Encoding
        By plane, as many as memory holds, the plane in view first.
    tiles : int
        Number of tiles encoded by this run; 0 if all were encoded before.
    seconds : float
        Since the request.
    status : ResultStatus
    message : str
        Why it was stopped, if it was.
    device_notes : tuple of str
        What a device could not do as requested.
    view_notes : tuple of str
        As in the request.
    """

    stack: HeatmapStack
    limits: tuple[tuple[float, float], ...]
    scoring: Scoring
    keys: tuple[str, ...]
    similarity: NDArray[np.float32]
    unowned: NDArray[np.float32]
    tiling: Mapping[str, object]
    encodings: Mapping[Index, Encoding]
    tiles: int
    seconds: float
    status: ResultStatus = ResultStatus.PARTIAL
    message: str = ""
    device_notes: tuple[str, ...] = ()
    view_notes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether everything that was requested has been computed."""
        return self.status is ResultStatus.COMPLETE

    @property
    def final(self) -> bool:
        """Whether nothing more is to come."""
        return self.status is not ResultStatus.PARTIAL

    @property
    def notes(self) -> tuple[str, ...]:
        """How the heatmaps are to be read, and what the device could not do, a sentence each."""
        return (*self.view_notes, *self.scoring.notes, *self.device_notes)

    @property
    def planes(self) -> tuple[Index, ...]:
        """The planes that have heatmaps."""
        return self.stack.planes


@dataclass(frozen=True, eq=False)
class RunStep:
    """Progress of background work.

    Parameters
    ----------
    text : str
    done, total : int
        Tiles or megabytes; `total` is 0 where it is unknown.
    seconds_left : float, optional
    result : HeatmapResult, optional
        The heatmaps as they are now, where they have changed.
    """

    text: str
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    result: HeatmapResult | None = None


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
        "examples": [each.describe() for each in scoring.examples.values()],
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
        "version": _version("napari-clip-heatmap"),
    }
    return [
        {
            "prompt": prompt,
            "row": key,
            "direction": recipe,
            "similarity": float(similarity),
            "unowned": None if np.isnan(unowned) else float(unowned),
            **common,
        }
        for prompt, key, recipe, similarity, unowned in zip(
            scoring.prompts,
            result.keys,
            scoring.recipes,
            result.similarity,
            result.unowned,
            strict=True,
        )
    ]


@cache
def _version(distribution: str) -> str:
    """Return the version of a distribution; finding it takes milliseconds, too long per letter."""
    return version(distribution)


def _versions() -> dict[str, str]:
    """Return the versions of other libraries that took part."""
    return {"napari": _version("napari"), "python": platform.python_version()}


def _projection(channel: Channel) -> dict[str, Any] | None:
    """Return which planes of a thick slice were combined, and how."""
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
