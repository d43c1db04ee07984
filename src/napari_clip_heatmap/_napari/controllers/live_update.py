"""Heatmaps that follow the prompts as they are typed; verdicts that follow the heatmaps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap._napari.controllers import layers
from napari_clip_heatmap._napari.controllers.background import Job
from napari_clip_heatmap._napari.controllers.layer_sync import LayerUpdater, records_of
from napari_clip_heatmap._napari.controllers.read_controls import same_prompts, with_prompts
from napari_clip_heatmap._napari.controllers.status import summary
from napari_clip_heatmap._napari.inputs.pixel_size import pixel_length
from napari_clip_heatmap._napari.job.run import rescore
from napari_clip_heatmap._napari.job.session import error_message
from napari_clip_heatmap._napari.state import RunStatus
from napari_clip_heatmap.errors import PromptError
from napari_clip_heatmap.pipeline.null_reference import NullReference, make_null_reference
from napari_clip_heatmap.pipeline.trust import Trust
from napari_clip_heatmap.pipeline.verdicts import Assessment, assess_scoring

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_clip_heatmap._napari.controllers.background import Work
    from napari_clip_heatmap._napari.controllers.layer_sync import StyleController
    from napari_clip_heatmap._napari.job.request import HeatmapRequest, HeatmapResult
    from napari_clip_heatmap._napari.state import DockState, LayerResult
    from napari_clip_heatmap.pipeline.encoding import Encoding

__all__ = [
    "LiveUpdater",
    "VerdictController",
    "VerdictText",
    "text_overlay_of",
]

DEBOUNCE_MS = 0
"""A keystroke's heatmaps are begun at once, before the table is drawn with what was typed."""

TOGETHER_SECONDS = 0.09
"""The window waits for the map at most this long: drawn together with the letter, it spares the
window a whole repaint. A map that takes longer, as with a large text tower, is not waited for the
next time."""

DRAWING_SECONDS = 0.05
"""The map that is seen is drawn first; the others and all figures come this much later."""

VERDICT_DEBOUNCE_MS = 150
"""A verdict may come after the heatmap, and must not delay it."""


class LiveUpdater:
    """Scores the latest encoding of the chosen image again when the prompts change.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    style : StyleController
    """

    def __init__(self, state: DockState, viewer: ViewerModel, style: StyleController) -> None:
        self._state, self._viewer, self._style = state, viewer, style
        self._job = Job(self.show, self._on_error, on_step=self._show_seen, debounce_ms=DEBOUNCE_MS)
        self._updater: LayerUpdater | None = None
        self._awaited = _AwaitedResult()
        self._begun: tuple[HeatmapResult, HeatmapRequest] | None = None
        self._drawn: tuple[LayerResult, frozenset[int]] | None = None
        self._emitters = tuple(
            getattr(state.events, name)
            for name in ("prompts", "controls", "image", "removed_rows", "status")
        )
        for emitter in self._emitters:
            emitter.connect(self.update)

    @property
    def showing(self) -> bool:
        """Whether maps are still being made or drawn."""
        return self._updater is not None or self._job.running

    def update(self) -> None:
        """Let the heatmaps follow what the controls say now."""
        state, result = self._state, self._state.result
        if state.status is RunStatus.RUNNING:
            self._stop_showing()
        if result is None or state.busy:
            return
        if not state.prompts:
            self._stop_showing()
            layers.remove_all(self._viewer, result.image)
        elif self._outdated(result) is not None:
            if self._job.running:
                self._job.cancel()  # it need not wait for what it painted to be drawn
            before = self._awaited
            self._job.submit(self._prepare)
            if self._job.running and self._awaited is not before:  # it has begun
                self._show_together(self._awaited)

    def show(self, result: LayerResult) -> None:
        """Show a result that no run made; the prompts follow from it from now on."""
        state = self._state
        if state.busy or result.image not in self._viewer.layers:
            return
        self._stop_showing()
        drawn = self._drawn[1] if self._drawn is not None and self._drawn[0] is result else ()
        self._drawn = None
        self._updater = LayerUpdater(
            self._viewer,
            result.image,
            result.request,
            partial(self._on_shown, result),
            lambda: state.style_of(result.image),
            state.removed_rows_of(result.image),
            state.current,
            drawn=drawn,
        )
        self._updater.update(result.result)  # first: figures and style may come after the map
        state.keep_result(result)

    def close(self) -> None:
        """Follow no more."""
        for emitter in self._emitters:
            emitter.disconnect(self.update)
        self._stop_showing()
        self._job.close()

    def _prepare(self) -> Work | None:
        result = self._state.result
        request = None if result is None or self._state.busy else self._outdated(result)
        if result is None or request is None:
            return None
        self._begun = result.result, request
        is_quick = self._awaited.took <= TOGETHER_SECONDS
        self._awaited = _AwaitedResult(TOGETHER_SECONDS if is_quick else 0)
        seen = self._state.visible_rows | {self._state.current}
        return partial(_rescored, result, request, seen, self._awaited)

    def _show_together(self, awaited: _AwaitedResult) -> None:
        if awaited.ready.wait(awaited.seconds) and awaited.result is not None:
            self._show_seen(awaited.result)

    def _show_seen(self, result: LayerResult) -> None:
        """Draw the maps that are visible; all else, such as figures, comes after them."""
        state, image = self._state, result.image
        if state.busy or image not in self._viewer.layers:
            return
        if self._drawn is not None and self._drawn[0] is result:
            return
        self._stop_showing()
        self._style.pause_links()
        drawn = layers.renew_seen(
            self._viewer,
            image,
            result.result,
            records_of(result.result, result.request, image),
            state.style_of(image),
            state.visible_rows | {state.current},
        )
        self._drawn = result, drawn

    def _outdated(self, result: LayerResult) -> HeatmapRequest | None:
        """Return the request as it is now, if it has other heatmaps than the result shows."""
        if result.image not in self._viewer.layers:
            return None
        try:
            request = with_prompts(self._state, result.request)
        except PromptError:
            return None  # no words; the layers stay until there are some
        begun = self._begun if self._job.running else None
        if begun is not None and begun[0] is result.result:
            return None if same_prompts(request, begun[1]) else request
        # What was begun and then gave way to a newer request has painted over maps all the same.
        changed = not same_prompts(request, result.request) or result.result.stack.painted_over
        return request if changed or self._missing(result) else None

    def _missing(self, result: LayerResult) -> bool:
        """Tell whether a row has no layer, and should have one."""
        wanted = {*result.result.keys} - self._state.removed_rows_of(result.image)
        shown = layers.heatmaps_by_row(self._viewer, result.image)
        return self._updater is None and not wanted <= shown.keys()

    def _on_shown(self, result: LayerResult, final: HeatmapResult) -> None:
        self._updater = None
        self._style.apply()
        image = result.image
        if image is self._state.image and image is not None:
            self._state.message = summary(final, image.scale[-2:], image.units[-2:])

    def _on_error(self, error: Exception) -> None:
        if self._state.prompts:
            self._state.message = f"Not updated yet: {error_message(error)}"

    def _stop_showing(self) -> None:
        if self._updater is not None:
            self._updater.close()
            self._updater = None


@dataclass(eq=False)
class _AwaitedResult:
    """Where the thread that works leaves a result for the window, which may wait so long for it."""

    seconds: float = TOGETHER_SECONDS
    ready: threading.Event = field(default_factory=threading.Event)
    result: LayerResult | None = None
    took: float = 0.0


def _rescored(
    before: LayerResult,
    request: HeatmapRequest,
    seen: frozenset[str],
    awaited: _AwaitedResult,
    stopped: Callable[[], bool],
) -> Generator[LayerResult, None, LayerResult]:
    """Score an encoding again; yields once the maps that are seen are painted."""
    began = time.monotonic()
    try:
        found = rescore(before.result, request, seen)
        result = replace(before, request=request, result=found, assessments={})
        awaited.result = result
    finally:
        awaited.took = time.monotonic() - began
        awaited.ready.set()
    yield result
    drawn = time.monotonic() + DRAWING_SECONDS
    while time.monotonic() < drawn and not stopped():
        time.sleep(DRAWING_SECONDS / 10)
    found.stack.paint_rest()
    return result


class VerdictController:
    """Finds the verdicts of the chosen image's heatmaps, once these are shown.

    Parameters
    ----------
    state : DockState
    """

    def __init__(self, state: DockState) -> None:
        self._state = state
        self._job = Job(self._on_assessed, self._on_error, debounce_ms=VERDICT_DEBOUNCE_MS)
        self._reference: tuple[tuple[Encoding, bool, tuple[str, ...]], NullReference] | None = None
        state.events.results.connect(self.update)
        state.events.image.connect(self.update)

    def update(self) -> None:
        """Assess the chosen image's result, soon, if that is still to be done."""
        self._job.submit(self._prepare)

    def close(self) -> None:
        """Assess no more."""
        self._state.events.results.disconnect(self.update)
        self._state.events.image.disconnect(self.update)
        self._job.close()
        self._reference = None

    def _prepare(self) -> Work | None:
        result = self._state.result
        encoding = None if result is None else result.encoding
        if result is None or encoding is None or result.assessment is not None or result.is_preview:
            return None  # figures of a coarse map would change with every tile
        return lambda _stopped: (result, self._assess(result, encoding))

    def _assess(self, shown: LayerResult, encoding: Encoding) -> Assessment:
        """Assess the slice in view; the heatmaps of a stack's other slices may differ."""
        image, scoring = shown.image, shown.result.scoring
        # An encoding is filled in place: before and after it is complete it counts as two.
        key = encoding, encoding.complete, scoring.templates
        if self._reference is None or self._reference[0] != key:
            self._reference = key, make_null_reference(encoding, scoring.templates)
        y, x = (
            pixel_length(*each) for each in zip(image.scale[-2:], image.units[-2:], strict=True)
        )
        return assess_scoring(
            encoding, scoring, self._reference[1], pixel_size=(y, x), unit=str(image.units[-1])
        )

    def _on_assessed(self, found: tuple[LayerResult, Assessment]) -> None:
        shown, assessment = found
        now = self._state.result
        if now is not None and now.result is shown.result:  # maybe in another slice by now
            assessments = {**now.assessments, shown.index: assessment}
            self._state.keep_result(replace(now, assessments=assessments))

    def _on_error(self, error: Exception) -> None:
        self._state.message = f"No verdicts: {error_message(error)}"


PREVIEW = "preview"
MADE_EARLIER = "made earlier: press Run"
"""Of a map with no figures: the data of its image was replaced, or the dock was opened again."""


class VerdictText:
    """Writes the prompts of the visible maps on the canvas, each with its trust.

    Maps of another image than the chosen one, which may lie over it, are named with their image.
    A text that the user put there stays.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    """

    def __init__(self, state: DockState, viewer: ViewerModel) -> None:
        self._state, self._viewer = state, viewer
        self._written = ""
        self._emitters = tuple(
            getattr(state.events, name)
            for name in (
                *("results", "image", "status", "step", "visible_rows", "visible_elsewhere"),
                *("missing_slice", "controls"),
            )
        )
        for emitter in self._emitters:
            emitter.connect(self.update)
        self.update()

    def update(self) -> None:
        """Write what is true now."""
        overlay = text_overlay_of(self._viewer)
        text = "\n".join(self._lines())
        if overlay.text not in ("", self._written) or text == overlay.text:
            return
        overlay.text, self._written = text, text
        overlay.visible = bool(text)

    def close(self) -> None:
        """Take the text away."""
        for emitter in self._emitters:
            emitter.disconnect(self.update)
        overlay = text_overlay_of(self._viewer)
        if self._written and overlay.text == self._written:
            overlay.text, overlay.visible = "", False

    def _lines(self) -> list[str]:
        chosen = self._state.image
        id_of_chosen = "" if chosen is None else str(chosen.unique_id)
        visible = [layer for layer in layers.own_heatmaps(self._viewer) if layer.visible]
        ours = [each for each in visible if layers.source_id_of(each) == id_of_chosen]
        words = {row.key: row.prompt for row in self._state.prompts}
        lines = []
        for layer in ours:
            key = layers.row_key_of(layer)
            prompt, word = words.get(key) or layers.mark_of(layer)["prompt"], self._word(key)
            if self._state.controls.get("compare") and word == _words(Trust.GOOD):
                continue  # the titles name the maps, and the text would lie on one of them
            lines.append(f"{prompt} - {word}" if word else prompt)
        return lines + [self._of_other_image(each) for each in visible if each not in ours]

    def _word(self, key: str) -> str:
        """Return what is to be known of the map of a row, on the chosen image."""
        state, result = self._state, self._state.result
        if state.missing_slice is not None:
            return "this slice is not computed"
        if result is None:  # a run forgets what was known of its image
            return PREVIEW if state.busy else MADE_EARLIER
        return PREVIEW if result.is_preview else _words(result.trust.get(key, Trust.UNKNOWN))

    def _of_other_image(self, layer: Image) -> str:
        source, mark = layers.source_id_of(layer), layers.mark_of(layer)
        names = (each.name for each in self._viewer.layers if str(each.unique_id) == source)
        return f"{mark['prompt']} of '{next(names, mark['source'])}'"


def text_overlay_of(viewer: ViewerModel) -> Any:
    """Return the viewer's text overlay, which napari 0.9 moved."""
    canvas = getattr(viewer, "canvas", None)
    return viewer.text_overlay if canvas is None else canvas.overlays.text


def _words(trust: Trust) -> str:
    """Return what stands behind the prompt of a map."""
    return "" if trust is Trust.UNKNOWN else f"trust: {trust}"
