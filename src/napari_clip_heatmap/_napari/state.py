"""Everything that the dock knows, in one place.

Controllers write to it and listen to it; views show it. Nothing else in the dock keeps state that
two of its parts depend on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

from psygnal import SignalGroupDescriptor

from napari_clip_heatmap._napari.annotation_state import AnnotationState
from napari_clip_heatmap._napari.colormaps import LayerStyle
from napari_clip_heatmap.pipeline.verdicts import Assessment

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_clip_heatmap._napari.job.request import HeatmapRequest, HeatmapResult, RunStep

__all__ = ["DockState", "LayerResult", "PromptRow", "RunStatus"]

RESULT_BYTES = 2 * 2**30
"""Encodings that results of other images may hold; the oldest results go first."""

PlanePosition = tuple[tuple[int, ...], float, float]
"""A plane's index, and y and x in image pixels."""


class RunStatus(StrEnum):
    """What the Run button stands for."""

    IDLE = "idle"
    RUNNING = "running"
    CANCELLING = "cancelling"
    """Cancelled, but the thread has not ended yet."""
    SHOWING = "showing"
    """The thread has ended; its last heatmaps are being drawn."""


@dataclass(frozen=True)
class PromptRow:
    """One row of the prompt table.

    Parameters
    ----------
    prompt : str
        As typed; blank in a row that was just added.
    colormap : str
        Of its layer; empty for the default one.
    key : str
        Identifies the row and its layer while the words are edited.
    """

    prompt: str
    colormap: str = ""
    key: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True, eq=False)
class LayerResult:
    """A request, its result, and the layer that they are about.

    Parameters
    ----------
    image : Image
    request : HeatmapRequest
    result : HeatmapResult
    assessment : Assessment, optional
        Verdicts on its heatmaps, once they are known.
    """

    image: Image
    request: HeatmapRequest
    result: HeatmapResult
    assessment: Assessment | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the encodings that it keeps in memory."""
        return sum(each.token_map.nbytes for each in self.result.encodings.values())


@dataclass
class DockState:
    """What the controls say, what runs, and what came of it; every field emits when it changes.

    ``state.events.status.connect(callback)`` listens to one field. Fields hold immutable values:
    replace them, never change them in place.

    Parameters
    ----------
    image : Image, optional
        The layer that requests are about.
    channels : tuple of Image
        Further layers that are shown to the model with it.
    prompts : tuple of PromptRow
        The rows that have words, in order.
    controls : mapping of str to object
        Values of all other controls, by name.
    style : LayerStyle
        Colors and scale of the heatmap layers.
    status : RunStatus
    step : RunStep, optional
        Progress of what runs.
    message : str
        One line on what happened last.
    notes : tuple of str
        How the heatmaps are to be read.
    results : mapping of str to LayerResult
        The latest result of each image, by its layer's unique id, oldest first.
    removed_rows : frozenset of (str, str)
        Image layer's unique id and row key of each heatmap layer that the user removed.
    solo : str
        Key of the row that is shown alone; empty for none.
    clicked : (plane, y, x), optional
        Where the user clicked last on the image.
    devices : tuple of str
        Devices known so far.
    annotation : AnnotationState
        What is known of objects; it emits by itself.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    image: Image | None = None
    channels: tuple[Image, ...] = ()
    prompts: tuple[PromptRow, ...] = ()
    controls: Mapping[str, Any] = field(default_factory=dict)
    style: LayerStyle = field(default_factory=LayerStyle)
    status: RunStatus = RunStatus.IDLE
    step: RunStep | None = None
    message: str = ""
    notes: tuple[str, ...] = ()
    results: Mapping[str, LayerResult] = field(default_factory=dict)
    removed_rows: frozenset[tuple[str, str]] = frozenset()
    solo: str = ""
    clicked: PlanePosition | None = None
    devices: tuple[str, ...] = ("auto", "cpu")
    annotation: AnnotationState = field(default_factory=AnnotationState)

    @property
    def busy(self) -> bool:
        """Whether a run is at work; its layers are then its own."""
        return self.status is not RunStatus.IDLE

    @property
    def result(self) -> LayerResult | None:
        """The latest result of the chosen image, if there is one."""
        return None if self.image is None else self.results.get(str(self.image.unique_id))

    def set_control(self, name: str, value: object) -> None:
        """Note that a control has another value."""
        if name not in self.controls or self.controls[name] != value:
            self.controls = {**self.controls, name: value}

    def keep_result(self, result: LayerResult) -> None:
        """Make a result the latest of its image; the oldest go where they hold too much memory."""
        key = str(result.image.unique_id)
        results = {each: value for each, value in self.results.items() if each != key}
        results[key] = result
        while len(results) > 1 and sum(each.nbytes for each in results.values()) > RESULT_BYTES:
            del results[next(iter(results))]
        self.results = results

    def forget_result(self, image: Image) -> None:
        """Drop the result of an image."""
        key = str(image.unique_id)
        if key in self.results:
            self.results = {each: value for each, value in self.results.items() if each != key}

    def removed_rows_of(self, image: Image) -> frozenset[str]:
        """Return the keys of the rows whose layer on an image the user removed."""
        return frozenset(row for layer, row in self.removed_rows if layer == str(image.unique_id))

    def forget_removed_rows(self, image: Image) -> None:
        """Let all rows of an image have a layer again."""
        key = str(image.unique_id)
        self.removed_rows = frozenset(each for each in self.removed_rows if each[0] != key)
