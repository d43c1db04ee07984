"""Run, Cancel, what a run does to the dock's state and layers, and runs that follow the slider."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer
from superqt.utils import QSignalDebouncer

from napari_clip_heatmap._napari.controllers import layers
from napari_clip_heatmap._napari.controllers.background import (
    Job,
    UnexpectedError,
    no_full_collection,
)
from napari_clip_heatmap._napari.controllers.layer_sync import LayerUpdater, LayerWatcher
from napari_clip_heatmap._napari.controllers.read_controls import input_layers, read_request
from napari_clip_heatmap._napari.controllers.status import step_text, summary
from napari_clip_heatmap._napari.inputs.layer_channels import outside_shift
from napari_clip_heatmap._napari.inputs.layer_planes import placement, shown_index
from napari_clip_heatmap._napari.job.request import ResultStatus
from napari_clip_heatmap._napari.job.session import error_message
from napari_clip_heatmap._napari.state import LayerResult, RunStatus
from napari_clip_heatmap.errors import Cancelled, ClipHeatmapError

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_clip_heatmap._napari.job.request import HeatmapRequest, HeatmapResult, RunStep
    from napari_clip_heatmap._napari.job.session import Session
    from napari_clip_heatmap._napari.state import DockState

__all__ = ["RunController", "SliceFollower"]


class RunController:
    """Runs what the controls request, one run at a time.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    session : Session
    """

    def __init__(self, state: DockState, viewer: ViewerModel, session: Session) -> None:
        self._state, self._viewer, self._session = state, viewer, session
        self._job = Job(
            self._on_result,
            self._on_error,
            on_step=self._on_step,
            on_end=self._on_thread_end,
            hold_after=lambda step: step.result is not None,
        )
        self._image: Image | None = None  # that the run is about
        self._updater: LayerUpdater | None = None
        self._watcher: LayerWatcher | None = None
        self._previous: LayerResult | None = None
        self._lost = ""
        self._quiet = ExitStack()  # entered for as long as a run repaints

    def start(self) -> None:
        """Run what the controls request; an error goes to the status line and a notification."""
        state = self._state
        if state.busy:
            return
        try:
            request = read_request(state, self._viewer)
            read = input_layers(state, self._viewer)
        except ClipHeatmapError as error:
            state.message = f"Not run: {error}"
            show_error(str(error))
            return
        image = read[0]
        self._begin(image, request)
        self._updater = LayerUpdater(
            self._viewer,
            image,
            request,
            partial(self._on_shown, image, request),
            lambda: state.style_of(image),
            current=state.current,
            hold=self._job.hold,
            chosen=lambda: state.image is image,
        )
        self._watcher = LayerWatcher(self._viewer, read, self._on_lost, self._updater.align)
        self._job.start(partial(self._session.run, request))

    def cancel(self) -> None:
        """Cancel the run; it ends within one tile, and what is done stays."""
        if self._job.running and self._state.status is RunStatus.RUNNING:
            self._state.status = RunStatus.CANCELLING
            self._say("Cancelling")
            self._job.cancel()

    def _say(self, message: str) -> None:
        """Show a message; if another image is chosen by now, with the name of the one it is of."""
        image = self._image
        elsewhere = image is not None and image is not self._state.image
        self._state.message = f"'{image.name}': {message}" if image and elsewhere else message

    def close(self) -> None:
        """Stop the run and let go of the viewer."""
        self._job.close()
        self._release()

    def _begin(self, image: Image, request: HeatmapRequest) -> None:
        """Blank what is known of the image, which is about to be renewed."""
        state = self._state
        before = state.result
        same_model = before is not None and before.request.loading == request.loading
        self._previous = before if same_model else None  # else the other model is to be freed
        self._lost = ""
        self._quiet.enter_context(no_full_collection())
        state.status = RunStatus.RUNNING
        state.forget_result(image)
        state.forget_removed_rows(image)
        state.note_recent()
        state.notes = ()
        self._image = image
        self._say("Starting")

    def _on_step(self, step: RunStep) -> None:
        if self._state.status is RunStatus.RUNNING:
            self._say(step_text(step))
        self._state.step = step
        if self._updater is None:
            self._job.hold(False)  # there is nothing to draw
        elif step.result is not None:
            self._updater.update(step.result)

    def _on_result(self, result: HeatmapResult) -> None:
        self._state.status = RunStatus.SHOWING
        if self._updater is not None:
            self._updater.update(result)

    def _on_shown(self, image: Image, request: HeatmapRequest, result: HeatmapResult) -> None:
        """Say what was done, now that all of it is on screen."""
        done = summary(result, image.scale[-2:], image.units[-2:])
        if self._lost:
            message = f"Stopped: {self._lost}. Done, and kept: {done}"
            show_error(self._lost)
        elif result.status is ResultStatus.CANCELLED:
            message = f"Cancelled; Run goes on from here. Done: {done}"
        elif result.status is ResultStatus.STOPPED:
            message = f"Stopped: {result.message}. Done, and kept: {done}"
            show_error(result.message)
        else:
            message = done
        self._say(message)
        self._end_layers()
        if image in self._viewer.layers:
            self._state.keep_result(LayerResult(image, request, result))
        QTimer.singleShot(0, self._finish)  # figures are drawn first, then what depends on IDLE

    def _on_error(self, error: Exception) -> None:
        """Say why there is nothing new; what was known before is true again."""
        if self._lost:
            self._say(f"Not done: {self._lost}")
            show_error(self._lost)
        elif isinstance(error, Cancelled):
            self._say("Cancelled")
        else:
            self._say(f"Not done: {error_message(error)}")
            if not isinstance(error, UnexpectedError):  # napari shows that one
                show_error(error_message(error))
        previous = None if self._lost else self._previous  # what is lost is no more what it was
        if previous is not None and previous.image in self._viewer.layers:
            self._state.keep_result(previous)
        self._end_layers()

    def _on_lost(self, reason: str) -> None:
        """Stop, as the image is no longer the one that was requested; keep what is done."""
        self._lost = f"{reason}; the heatmaps made until then show what it was"
        self.cancel()

    def _on_thread_end(self) -> None:
        self._finish()

    def _finish(self) -> None:
        """Be idle again, once the thread has ended and its last heatmaps are on screen."""
        if self._image is None:
            return  # it is idle already, or the dock was closed
        if not self._job.running and self._updater is None:
            self._release()
            self._state.step = None
            self._state.status = RunStatus.IDLE

    def _end_layers(self) -> None:
        if self._updater is not None:
            self._updater.close()
            self._updater = None

    def _release(self) -> None:
        self._quiet.close()
        self._end_layers()
        self._previous = self._image = None
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher = None


_SLICE_EVENTS = ("point", "margin_left", "margin_right")

REST_MS = 250
"""The slider must rest this long before its slice is computed."""


class SliceFollower:
    """Knows whether the slice in view has maps, and computes it where the user wants that.

    All figures are of that slice, and blank where it has no maps.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    start : callable
        Begins a run.
    """

    def __init__(self, state: DockState, viewer: ViewerModel, start: Callable[[], None]) -> None:
        self._state, self._viewer, self._start = state, viewer, start
        self._tried: object = None
        self._rest = QSignalDebouncer()
        self._rest.setTimeout(REST_MS)
        self._rest.triggered.connect(self._compute)
        for name in _SLICE_EVENTS:
            getattr(viewer.dims.events, name).connect(self._on_moved)
        self._emitters = tuple(
            getattr(state.events, name) for name in ("results", "image", "status", "controls")
        )
        for emitter in self._emitters:
            emitter.connect(self.update)

    def update(self) -> None:
        """Note whether the slice in view has maps, and draw these where the image is drawn."""
        self._show_figures()
        state, missing = self._state, self._missing()
        self._follow_margin()
        if missing != state.missing_slice:
            state.missing_slice = missing
            if not state.busy:
                state.message = self._about_slice(missing)
        if missing is None:
            self._tried = None
        elif state.controls.get("follow") and state.status is RunStatus.IDLE:
            self._rest.throttle()

    def _about_slice(self, missing: tuple[int, ...] | None) -> str:
        """Say that the slice in view has no maps, or again what was done, where it has."""
        state, result = self._state, self._state.result
        if missing is not None:
            offer = "" if state.controls.get("follow") else ", or tick 'follow the slider' in Where"
            return f"Slice {', '.join(map(str, missing))} is not computed: press Run{offer}"
        if result is None:
            return state.message
        return summary(result.result, result.image.scale[-2:], result.image.units[-2:])

    def close(self) -> None:
        """Let go of the viewer."""
        self._rest.cancel()
        for name in _SLICE_EVENTS:
            getattr(self._viewer.dims.events, name).disconnect(self._on_moved)
        for emitter in self._emitters:
            emitter.disconnect(self.update)

    def _on_moved(self, _event: object) -> None:
        self.update()

    def _show_figures(self) -> None:
        """Let the figures be of the slice in view, or of none."""
        image, result = self._state.image, self._state.result
        if result is None or image is None or image not in self._viewer.layers:
            return
        index = shown_index(image, self._viewer.dims.point)
        if index != result.index:
            self._state.keep_result(replace(result, slice_in_view=index))

    def _follow_margin(self) -> None:
        """Move maps to a slider outside of the stack, while its margin reaches the stack."""
        image = self._state.image
        if image is None or image not in self._viewer.layers:
            return
        at = placement(image)["translate"] + outside_shift(image, self._viewer)
        for layer in layers.own_heatmaps(self._viewer, image):
            if not np.allclose(layer.translate, at):
                with layers.changing():
                    layer.translate = at

    def _missing(self) -> tuple[int, ...] | None:
        """Return the index of the slice in view, if other slices have maps and it has none."""
        state = self._state
        result, image = state.result, state.image
        if result is None or image is None or image not in self._viewer.layers:
            return None
        index = shown_index(image, self._viewer.dims.point)
        return None if index in result.result.planes else index

    def _compute(self) -> None:
        """Compute the slice in view; one that failed is not tried again by itself."""
        state, missing = self._state, self._missing()
        wanted = state.controls.get("follow") and state.status is RunStatus.IDLE
        if wanted and missing is not None and missing != self._tried:
            self._tried = missing
            self._start()
