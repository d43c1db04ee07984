"""Slices of a stack that are not computed: said and offered, or computed as the slider moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from superqt.utils import QSignalDebouncer

from napari_clip_heatmap._napari.inputs.layer_planes import shown_index
from napari_clip_heatmap._napari.state import RunStatus

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_clip_heatmap._napari.state import DockState

__all__ = ["SliceFollower"]

REST_MS = 250
"""The slider must rest this long before its slice is computed."""


class SliceFollower:
    """Knows whether the slice in view has maps, and computes it where the user wants that.

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
        viewer.dims.events.point.connect(self._on_moved)
        self._emitters = tuple(
            getattr(state.events, name) for name in ("results", "image", "status", "controls")
        )
        for emitter in self._emitters:
            emitter.connect(self.update)

    def update(self) -> None:
        """Note whether the slice in view has maps."""
        state, missing = self._state, self._missing()
        if missing != state.missing_slice:
            state.missing_slice = missing
            if missing is not None and not state.busy:
                state.message = (
                    f"Slice {', '.join(map(str, missing))} is not computed: press Run, or tick "
                    "'follow the slider' in Where"
                )
        if missing is None:
            self._tried = None
        elif state.controls.get("follow") and state.status is RunStatus.IDLE:
            self._rest.throttle()

    def close(self) -> None:
        """Let go of the viewer."""
        self._rest.cancel()
        self._viewer.dims.events.point.disconnect(self._on_moved)
        for emitter in self._emitters:
            emitter.disconnect(self.update)

    def _on_moved(self, _event: object) -> None:
        self.update()

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
