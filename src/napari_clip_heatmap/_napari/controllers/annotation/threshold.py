"""The threshold of each map: learnt or set by hand, with an outline and a count that follow it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_clip_heatmap._napari.annotation_state import (
    BY_HAND,
    ObjectRule,
    ObjectSettings,
    read_object_settings,
)
from napari_clip_heatmap._napari.controllers.background import Job
from napari_clip_heatmap._napari.inputs.layer_planes import shown_index
from napari_clip_heatmap._napari.job.object_work import WINNERS, ObjectRequest
from napari_clip_heatmap._napari.job.session import error_message
from napari_clip_heatmap.annotation.polygons import label_polygons
from napari_clip_heatmap.annotation.thresholds import learn_threshold

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_clip_heatmap._napari.controllers.annotation.outline_preview import OutlinePreview
    from napari_clip_heatmap._napari.controllers.background import Work
    from napari_clip_heatmap._napari.job.heatmap_stack import Index
    from napari_clip_heatmap._napari.state import DockState, LayerResult
    from napari_clip_heatmap.pipeline.heatmaps import LazyHeatmaps

__all__ = ["OBJECT_CONTROLS", "ThresholdController", "known_pixel_size", "request_objects"]

OBJECT_CONTROLS = (
    "objects_of", "object_prompt", "threshold_by", "threshold", "margin", "min_size", "split",
    "fill_holes", "by_image", "object_slices", "outline",
)  # fmt: skip
"""Controls on which objects depend."""

OF_A_THRESHOLD = (
    "object_prompt", "threshold_by", "threshold", "split", "fill_holes", "by_image",
)  # fmt: skip
"""Controls that a winner has no use for."""

COUNT_PIXELS = 2**19
"""Pixels on which objects are counted while a threshold is chosen."""

COUNT_DEBOUNCE_MS = 80

SETTLE_MS = 250
"""Without another result before its outline is drawn: while a user types, maps come first."""


def request_objects(
    shown: LayerResult,
    settings: ObjectSettings,
    keys: tuple[str, ...],
    planes: tuple[Index, ...],
    **options: Any,
) -> ObjectRequest:
    """Return a request for objects of a result.

    Parameters
    ----------
    shown : LayerResult
    settings : ObjectSettings
    keys : tuple of str
        Rows whose objects are wanted.
    planes : tuple of tuple of int
    **options
        Further fields of `ObjectRequest`.
    """
    image = shown.image
    size, unit = known_pixel_size(image)
    return ObjectRequest(
        result=shown.result,
        verdicts=() if shown.assessment is None else shown.assessment.checks,
        settings=settings,
        keys=keys,
        planes=planes,
        asked=shown.request,
        pixel_size=size,
        unit=unit,
        **options,
    )


def known_pixel_size(image: Image) -> tuple[tuple[float, float] | None, str | None]:
    """Return height and width of an image pixel and their unit; None where napari knows none."""
    units = [str(unit) for unit in image.units[-2:]]
    if units[0] != units[1] or units[0] in ("pixel", ""):
        return None, None
    y, x = (abs(float(length)) for length in image.scale[-2:])
    return (y, x), units[0]


@dataclass(frozen=True, eq=False)
class _Map:
    """The map that the slider is about."""

    key: str
    number: int
    maps: LazyHeatmaps
    low: float
    high: float


class ThresholdController:
    """Keeps slider, thresholds, outline and counts in agreement.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    controls : mapping of str to control
    show_row : callable(name, shown=bool)
        Shows or hides a control with its label.
    preview : OutlinePreview
    """

    def __init__(
        self,
        state: DockState,
        viewer: ViewerModel,
        controls: Mapping[str, Any],
        show_row: Callable[..., None],
        preview: OutlinePreview,
    ) -> None:
        self._state, self._viewer, self._controls = state, viewer, controls
        self._show_row, self._preview = show_row, preview
        self._in_use = False
        self._busy = False
        self._seen: dict[str, Any] = {}
        self._counting = Job(self._on_counted, self._on_error, debounce_ms=COUNT_DEBOUNCE_MS)
        self._settling = Job(self._on_counted, self._on_error, debounce_ms=SETTLE_MS)
        self._index: Index | None = None
        self._followed = (
            (state.events.results, self._on_result),
            (state.events.image, self.refresh),
            (state.events.controls, self._on_controls),
            (viewer.dims.events.point, self._on_point),
        )

    @property
    def settings(self) -> ObjectSettings:
        """What the controls say."""
        return read_object_settings(self._state.controls, self._state.annotation.limits)

    @property
    def key(self) -> str:
        """Key of the row whose prompt is chosen; empty without a result."""
        keys = () if self._state.result is None else self._state.result.result.keys
        chosen = self._state.controls["object_prompt"]
        return chosen if chosen in keys else next(iter(keys), "")

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the rows whose objects are wanted."""
        if self._state.result is None:
            return ()
        if self.settings.rule is ObjectRule.PROMPT:
            return (self.key,)
        return self._state.result.result.keys

    def use(self, in_use: bool) -> None:
        """Follow the state, show the outline, and count, while the section is on screen."""
        if in_use != self._in_use:
            self._in_use = in_use
            for emitter, slot in self._followed:
                (emitter.connect if in_use else emitter.disconnect)(slot)
        if in_use:
            self._preview.allow()
            self._seen = {name: self._state.controls[name] for name in OBJECT_CONTROLS}
            self._show_rows()
            self.refresh()
        else:
            self._preview.clear()
            self._state.annotation.counts = {}

    def choose(self, key: str) -> None:
        """Choose the prompt that the threshold is of."""
        self._offer_prompts()
        self._controls["objects_of"].value = ObjectRule.PROMPT.value
        self._controls["object_prompt"].value = key

    def refresh(self, *_: Any) -> None:
        """Show what holds for the chosen prompt in the plane in view."""
        if self._busy:
            return
        self._offer_prompts()
        image = self._state.image
        self._index = None if image is None else shown_index(image, self._viewer.dims.point)
        self._show_threshold()
        self._draw()
        self._counting.submit(self._prepare_count)

    def close(self) -> None:
        """Let go of the viewer."""
        self.use(False)
        self._counting.close()
        self._settling.close()

    def _on_result(self) -> None:
        """Follow maps once no other ones have come for a moment."""
        self._settling.submit(self._settle)

    def _settle(self) -> None:
        if self._in_use:
            self.refresh()

    def _on_point(self, _: Any = None) -> None:
        """Follow the viewer to another plane; a layer that comes or goes moves its point too."""
        image = self._state.image
        if image is not None and shown_index(image, self._viewer.dims.point) != self._index:
            self.refresh()

    def _on_controls(self) -> None:
        values = {name: self._state.controls[name] for name in OBJECT_CONTROLS}
        changed = {name for name, value in values.items() if self._seen.get(name) != value}
        self._seen = values
        if not changed or self._busy:
            return
        if changed == {"threshold"}:
            self._on_moved(float(values["threshold"]))
        self._show_rows()
        self.refresh()

    def _on_moved(self, fraction: float) -> None:
        """Set the threshold of the chosen map where the user moved the slider."""
        shown = self._map()
        if shown is None:
            return
        annotation = self._state.annotation
        limit = shown.low + fraction * (shown.high - shown.low)
        annotation.limits = {**annotation.limits, shown.key: limit}
        if self._state.controls["threshold_by"] != BY_HAND:
            self._set("threshold_by", BY_HAND)

    def _show_threshold(self) -> None:
        shown = self._map()
        limit = math.nan if shown is None else self._limit(shown)
        if shown is not None and math.isfinite(limit) and shown.high > shown.low:
            fraction = (limit - shown.low) / (shown.high - shown.low)
            self._set("threshold", min(max(fraction, 0.0), 1.0))

    def _draw(self) -> None:
        """Draw where the map crosses its threshold; what is counted later replaces it."""
        shown, settings = self._map(), self.settings
        image = self._state.image
        if shown is None or image is None or not self._state.controls["outline"]:
            self._preview.clear()
            return
        if settings.rule is ObjectRule.WINNER:
            return
        values = shown.maps.lattice_values[shown.number]
        self._preview.draw(
            image,
            shown_index(image, self._viewer.dims.point),
            values,
            shown.maps.lattice,
            self._limit(shown),
            settings,
        )

    def _limit(self, shown: _Map) -> float:
        values = shown.maps.lattice_values[shown.number]
        return learn_threshold(values, self.settings.threshold_of(shown.key))

    def _map(self) -> _Map | None:
        """Return the chosen prompt's map in the plane in view, if it has one."""
        shown, image = self._state.result, self._state.image
        if shown is None or image is None or image not in self._viewer.layers:
            return None
        maps = shown.result.stack.maps_at(shown_index(image, self._viewer.dims.point))
        if maps is None:
            return None
        number = shown.result.keys.index(self.key)
        low, high = (float(each) for each in maps.limits[number])
        return _Map(self.key, number, maps, low, high)

    def _prepare_count(self) -> Work | None:
        shown, image = self._state.result, self._state.image
        if not self._in_use or shown is None or image is None or self._map() is None:
            self._state.annotation.counts = {}
            return None
        settings = replace(self.settings, all_slices=False)
        every = replace(settings, rule=ObjectRule.EVERY)
        request = request_objects(
            shown,
            settings if settings.rule is ObjectRule.WINNER else every,
            shown.result.keys,
            (shown_index(image, self._viewer.dims.point),),
            most=COUNT_PIXELS,
        )
        key = WINNERS if settings.rule is ObjectRule.WINNER else self.key
        return lambda stopped: _Counted(image, request, *_count(request, key, stopped))

    def _on_counted(self, counted: _Counted) -> None:
        if not self._in_use:
            return
        self._state.annotation.counts = counted.counts
        (index,) = counted.request.planes
        still = self._map() is not None and counted.image is self._state.image
        if still and self._state.controls["outline"]:
            self._preview.draw_rings(counted.image, index, counted.rings)

    def _on_error(self, error: Exception) -> None:
        self._state.annotation.counts = {}
        self._state.message = f"Not counted: {error_message(error)}"

    def _offer_prompts(self) -> None:
        shown = self._state.result
        choices = (
            ()
            if shown is None
            else tuple(zip(shown.result.scoring.prompts, shown.result.keys, strict=True))
        )
        control = self._controls["object_prompt"]
        if control.offered != choices:
            chosen = self.key
            self._busy = True
            control.offer(choices)
            if chosen:
                control.value = chosen
            self._busy = False
            self._state.set_control("object_prompt", control.value)

    def _set(self, name: str, value: Any) -> None:
        """Let a control show what holds, which is no wish of the user's."""
        self._busy = True
        self._controls[name].value = value
        self._busy = False
        self._seen = {key: self._state.controls[key] for key in OBJECT_CONTROLS}

    def _show_rows(self) -> None:
        rule = ObjectRule(self._state.controls["objects_of"])
        image = self._state.image
        for name in OF_A_THRESHOLD:
            self._show_row(name, shown=rule is not ObjectRule.WINNER)
        self._show_row("margin", shown=rule is ObjectRule.WINNER)
        self._show_row("object_slices", shown=image is not None and image.ndim > 2)


@dataclass(frozen=True, eq=False)
class _Counted:
    """What was counted, and the outlines of what the section would make."""

    image: Image
    request: ObjectRequest
    counts: Mapping[str, int]
    rings: list[NDArray[np.float64]]


def _count(
    request: ObjectRequest, key: str, stopped: Callable[[], bool]
) -> tuple[dict[str, int], list[NDArray[np.float64]]]:
    """Return how many objects each row has in one plane, and the outlines of one row's."""
    (found,) = request.find(stopped).values()
    rings = [
        np.concatenate([ring, ring[:1]]) * float(request.factor) - 0.5
        for polygon in label_polygons(found[key].labels)
        for ring in (polygon.shell, *polygon.holes)
    ]
    if key != WINNERS:
        return {each: len(objects) for each, objects in found.items()}, rings
    prompts = found[WINNERS].table["prompt"]
    keys = request.result.keys
    return {each: int((prompts == request.prompt_of(each)).sum()) for each in keys}, rings
