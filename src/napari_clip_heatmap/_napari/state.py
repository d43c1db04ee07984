"""Everything that the dock knows, in one place.

Controllers write to it and listen to it; views show it. Nothing else in the dock keeps state that
two of its parts depend on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

import numpy as np
from psygnal import SignalGroupDescriptor

from napari_clip_heatmap._napari.annotation_state import AnnotationState
from napari_clip_heatmap._napari.colormaps import LayerStyle
from napari_clip_heatmap.pipeline.presence import of_no_patch
from napari_clip_heatmap.pipeline.score_registry import score_method
from napari_clip_heatmap.pipeline.trust import Trust
from napari_clip_heatmap.pipeline.verdicts import Assessment, PromptVerdict

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_clip_heatmap._napari.job.request import HeatmapRequest, HeatmapResult, RunStep
    from napari_clip_heatmap.pipeline.encoding import Encoding
    from napari_clip_heatmap.prompting.example import Example

__all__ = [
    "FAINTNESS",
    "DockState",
    "LayerResult",
    "PromptRow",
    "RunStatus",
    "facts_of",
]

RESULT_BYTES = 2 * 2**30
"""Encodings that results of other images may hold; the oldest results go first."""

MOST_RECENT = 8
"""Runs whose prompts are remembered."""

ROUNDING = 1e-5
"""Components of a direction up to this are zero."""

PlanePosition = tuple[tuple[int, ...], float, float]
"""A plane's index, and y and x in image pixels."""


MOST_FACTS = 3

FAINTNESS = {Trust.DOUBTFUL: 0.6, Trust.NONE: 0.3}
"""Factor on the opacity of a map that is not to be trusted."""


def facts_of(check: PromptVerdict) -> tuple[str, ...]:
    """Return why a map can be trusted or not, in at most three short facts."""
    if (others := getattr(check, "leave_one_out", None)) is not None:  # of an example
        judged = f"Each of its places, judged by an example of the others: AUROC {others:.2f}."
        return (*check.reasons, judged)[:MOST_FACTS]
    match = (
        f"Match with the image: {check.similarity:.3f}{of_no_patch(check.unowned)}, "
        f"above {check.rank:.0%} of nonsense."
    )
    return (*check.reasons, match)[:MOST_FACTS]


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
        As typed; blank in a row that was just added. Of an example, its name.
    colormap : str
        Of its layer; empty for the default one.
    key : str
        Identifies the row and its layer while the words are edited.
    example : Example, optional
        What is asked instead of words.
    """

    prompt: str
    colormap: str = ""
    key: str = field(default_factory=lambda: uuid4().hex)
    example: Example | None = None

    @property
    def asked(self) -> str | Example:
        """What `Encoding.heatmaps` takes: the words, or the example under the row's name."""
        return self.prompt if self.example is None else replace(self.example, name=self.prompt)


@dataclass(frozen=True, eq=False)
class LayerResult:
    """A request, its result, and the layer that they are about.

    Parameters
    ----------
    image : Image
    request : HeatmapRequest
    result : HeatmapResult
    assessments : mapping of tuple of int to Assessment
        Verdicts on its heatmaps, once they are known, by slice.
    slice_in_view : tuple of int, optional
        Index of the slice that all figures are of; by default of the first that was computed.
    """

    image: Image
    request: HeatmapRequest
    result: HeatmapResult
    assessments: Mapping[tuple[int, ...], Assessment] = field(default_factory=dict)
    slice_in_view: tuple[int, ...] | None = None

    @property
    def index(self) -> tuple[int, ...]:
        """Index of the slice that all figures are of."""
        return self.result.planes[0] if self.slice_in_view is None else self.slice_in_view

    @property
    def encoding(self) -> Encoding | None:
        """Of the slice in view; None where memory holds it no more."""
        return self.result.encodings.get(self.index)

    @property
    def assessment(self) -> Assessment | None:
        """Verdicts on the maps of the slice in view, once they are known."""
        return self.assessments.get(self.index)

    @property
    def nbytes(self) -> int:
        """Bytes of the encodings that it keeps in memory."""
        return sum(each.token_map.nbytes for each in self.result.encodings.values())

    @property
    def is_preview(self) -> bool:
        """Whether tiles of the slice in view are not done: then its map is coarse in places."""
        return self.encoding is not None and not self.encoding.complete

    @property
    def trust(self) -> dict[str, Trust]:
        """How far each row's map can be trusted, by key; empty while that is not known."""
        if self.assessment is None:
            return {}
        checks = self.assessment.checks
        trust = {key: check.trust for key, check in zip(self.result.keys, checks, strict=True)}
        return {**trust, **dict.fromkeys(self.empty_rows, Trust.NONE)}

    @property
    def empty_rows(self) -> tuple[str, ...]:
        """Keys of the rows whose words cancel out, such as "nuclei - nuclei"."""
        keys, directions = self.result.keys, self.result.scoring.directions
        return tuple(
            key
            for key, direction in zip(keys, directions, strict=False)  # a baseline follows them
            if not np.abs(direction).max() > ROUNDING
        )


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
    by_hand : mapping of (str, str) to mapping
        What the user set on a heatmap layer in napari's own controls: values of the layer's
        attributes, by the image layer's unique id and the row's key.
    current : str
        Key of the current row, whose map is shown; empty for none.
    visible_rows : frozenset of str
        Keys of the rows whose maps are visible on the chosen image.
    visible_elsewhere : frozenset of str
        Unique ids of the visible maps of other images.
    missing_slice : tuple of int, optional
        Index of the slice in view, if the image has maps, but none of this slice.
    problems : mapping of str to str
        Why a row cannot be scored, or only in part, by its key.
    ticked : frozenset of str
        Keys of the rows whose maps the user wants to see with that of the current row.
    channel_declined : frozenset of str
        Unique ids of sibling channels that the user unticked.
    clicked : (plane, y, x), optional
        Where the user clicked last on the image.
    devices : tuple of str
        Devices known so far.
    recent : tuple of tuple of str
        Prompts of the last runs, the latest first.
    taken_away : tuple of LayerResult
        What "Remove all" removed, and can bring back.
    removed_before : frozenset of (str, str)
        What `removed_rows` was when these were taken away.
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
    by_hand: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    current: str = ""
    ticked: frozenset[str] = frozenset()
    visible_rows: frozenset[str] = frozenset()
    visible_elsewhere: frozenset[str] = frozenset()
    missing_slice: tuple[int, ...] | None = None
    problems: Mapping[str, str] = field(default_factory=dict)
    channel_declined: frozenset[str] = frozenset()
    clicked: PlanePosition | None = None
    devices: tuple[str, ...] = ("auto", "cpu")
    recent: tuple[tuple[str, ...], ...] = ()
    taken_away: tuple[LayerResult, ...] = ()
    removed_before: frozenset[tuple[str, str]] = frozenset()
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

    def note_recent(self) -> None:
        """Remember the prompts of a run that begins."""
        prompts = tuple(row.prompt for row in self.prompts if row.example is None)
        if not prompts:
            return
        others = (each for each in self.recent if each != prompts)
        self.recent = (prompts, *others)[:MOST_RECENT]

    def forget_removed_rows(self, image: Image) -> None:
        """Let all rows of an image have a layer again."""
        key = str(image.unique_id)
        self.removed_rows = frozenset(each for each in self.removed_rows if each[0] != key)

    def style_of(self, image: Image | None) -> LayerStyle:
        """Return how an image's maps become colors: as chosen, by trust, and as set by hand."""
        key = "" if image is None else str(image.unique_id)
        result = self.results.get(key)
        trust = {} if result is None else result.trust
        return replace(
            self.style,
            clear_below_zero=score_method(self.controls["score"]).zero_is_even,
            faint={row: FAINTNESS.get(each, 1.0) for row, each in trust.items()},
            by_hand={row: each for (layer, row), each in self.by_hand.items() if layer == key},
        )

    def note_by_hand(self, image_id: str, row: str, name: str, value: object) -> None:
        """Keep what the user set on a heatmap layer; it stays over edits, scores and runs."""
        entry = {**self.by_hand.get((image_id, row), {}), name: value}
        self.by_hand = {**self.by_hand, (image_id, row): entry}

    def forget_by_hand(self, name: str, row: str = "") -> None:
        """Let an attribute of a row's layers, or of all, follow the dock's controls again."""
        self.by_hand = {
            (layer, each): {key: value for key, value in values.items() if key != name}
            if row in ("", each)
            else values
            for (layer, each), values in self.by_hand.items()
        }
