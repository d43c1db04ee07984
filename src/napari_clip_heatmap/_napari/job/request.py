"""What is asked, what is told on the way, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_clip_heatmap.imaging.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_clip_heatmap._napari.job.heatmap_stack import HeatmapStack
    from napari_clip_heatmap.imaging.channel import Channel
    from napari_clip_heatmap.imaging.region import Region
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.pipeline.score_registry import Score
    from napari_clip_heatmap.pipeline.scoring import Scoring

__all__ = ["CANCELLED", "HeatmapRequest", "HeatmapResult", "PlaneRequest", "RunError", "RunStep"]

Index = tuple[int, ...]

CANCELLED = "cancelled"
"""The reason of an answer that the user wanted no more of."""


@dataclass(frozen=True, eq=False)
class PlaneRequest:
    """One plane to look at.

    Parameters
    ----------
    index : tuple of int
        On the layer's leading axes.
    channels : tuple of Channel
        What is seen there, not yet read.
    """

    index: Index
    channels: tuple[Channel, ...]


@dataclass(frozen=True, eq=False)
class HeatmapRequest:
    """What the user asks.

    Parameters
    ----------
    planes : tuple of PlaneRequest
        In the order in which they are to be done; the first is the one that is seen.
    prompts, baseline : tuple of str
    keys : tuple of str
        What each prompt's layer is known by, whatever becomes of the words; by default the words.
    templates : str or tuple of str
        As `Encoding.heatmaps` takes them.
    leading : tuple of int
        Lengths of the layer's axes before the plane.
    stores : tuple of array-like
        The layers' whole arrays, of pyramids the finest level; only to know them again.
    model, device, precision, preprocess : str
        As `api.load_model` takes them; `preprocess` empty: as the model's files say.
    score : {"relative", "absolute", "contrast", "softmax"}
    view : View
    downsample : float or "auto"
        Image pixels per pixel that the model looks at.
    region : Region, optional
        The part to look at; by default all.
    focus : (y, x), optional
        Where to begin, in image pixels.
    channel_names : tuple of str
        Of the layers looked at together, the image first.
    origins : tuple of mapping
        Of the same layers: where they come from; see `origin_of`.
    region_record : object
        The region in words or numbers that JSON has.
    """

    planes: tuple[PlaneRequest, ...]
    prompts: tuple[str, ...]
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
    region: Region | None = None
    focus: tuple[float, float] | None = None
    channel_names: tuple[str, ...] = ()
    origins: tuple[Mapping[str, Any], ...] = ()
    region_record: object = "whole image"

    @property
    def loading(self) -> tuple[str, dict[str, str]]:
        """The model's name, and the options that it is to be loaded with."""
        options = {"device": self.device}
        if self.precision != "auto":
            options["precision"] = self.precision
        if self.preprocess:
            options["preprocess"] = self.preprocess
        return self.model, options

    @property
    def view_record(self) -> dict[str, object]:
        """How values became colours, in values that JSON has."""
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
    """The maps of a question, as far as they are.

    Parameters
    ----------
    stack : HeatmapStack
        The maps; filled on while the answer is not complete.
    limits : tuple of (float, float)
        Contrast limits per prompt.
    scoring : Scoring
        The prompts as directions, and what there is to say of them.
    keys : tuple of str
        As in the question; of prompts that ask the same, the first's.
    similarity : float32 (prompt,)
        Cosine of what was looked at and each prompt; NaN as long as that is unknown.
    tiling : mapping
        As `Encoding.describe` tells it.
    encodings : mapping of tuple of int to Encoding
        By plane, as many as memory holds, the one that is seen first.
    tiles : int
        Passed through the model in this run; 0: all was encoded before.
    seconds : float
        Since the question.
    complete : bool
    reason : str
        Why it will not become complete; empty where it is, or still may.
    news : tuple of str
        What a device could not do as asked.
    """

    stack: HeatmapStack
    limits: tuple[tuple[float, float], ...]
    scoring: Scoring
    keys: tuple[str, ...]
    similarity: NDArray[np.float32]
    tiling: Mapping[str, object]
    encodings: Mapping[Index, Encoding]
    tiles: int
    seconds: float
    complete: bool
    reason: str = ""
    news: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Plain sentences on how the maps are to be read, and on what the device could not do."""
        return (*self.scoring.notes, *self.news)

    @property
    def planes(self) -> tuple[Index, ...]:
        """Those that hold something."""
        return self.stack.planes


@dataclass(frozen=True, eq=False)
class RunStep:
    """What is being done.

    Parameters
    ----------
    text : str
    done, total : int
        Tiles; `total` 0 where that is unknown.
    seconds_left : float, optional
    answer : HeatmapResult, optional
        What there is to see by now, where that has changed.
    """

    text: str
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    answer: HeatmapResult | None = None


@dataclass(frozen=True)
class RunError:
    """Why there is no answer, in words for the user."""

    message: str
