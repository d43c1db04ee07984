"""The values of all heatmaps under the cursor, in the table and in napari's status bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from superqt.utils import QSignalThrottler

from napari_clip_heatmap._napari.state import PlanePosition

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_clip_heatmap._napari.state import DockState
    from napari_clip_heatmap._napari.views.prompt_model import PromptModel

__all__ = ["CursorReadout", "position_on"]

INTERVAL_MS = 30
"""Between two updates of the table while the mouse moves; the eye sees no more."""

IN_STATUS_BAR = 5
"""Prompts named in the status bar, the highest values first."""


class CursorReadout:
    """Follows the cursor over the chosen image.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    model : PromptModel
        The table's rows.
    """

    def __init__(self, state: DockState, viewer: ViewerModel, model: PromptModel) -> None:
        self._state, self._viewer, self._model = state, viewer, model
        self._values = ""
        self._status: Any = ""  # napari's own status, without our values
        self._throttler = QSignalThrottler()
        self._throttler.setTimeout(INTERVAL_MS)
        self._throttler.triggered.connect(self.refresh)
        viewer.cursor.events.position.connect(self._on_moved)
        # Last: napari's own handling of a status must come before our values are added to it.
        viewer.events.status.connect(self._on_status, position="last")

    def close(self) -> None:
        """Let go of the viewer."""
        self._throttler.cancel()
        self._viewer.cursor.events.position.disconnect(self._on_moved)
        self._viewer.events.status.disconnect(self._on_status)
        for emitter in (self._state.events.results, self._state.events.image):
            emitter.disconnect(self._on_results, missing_ok=True)

    def refresh(self) -> None:
        """Show the values under the cursor."""
        shown = self._state.result
        values = None
        if shown is not None and shown.image in self._viewer.layers:
            position = position_on(shown.image, self._viewer.cursor.position)
            values = shown.result.stack.values_at(*position)
        if shown is None or values is None:
            self._model.set_cursor_values({})
            self._show_in_status("")
            return
        result = shown.result
        ranges = zip(result.keys, values.tolist(), result.limits, strict=True)
        self._model.set_cursor_values(
            {key: (value - low) / (high - low) for key, value, (low, high) in ranges}
        )
        named = sorted(zip(values.tolist(), result.scoring.prompts, strict=True), reverse=True)
        more = f" and {len(named) - IN_STATUS_BAR} more" if len(named) > IN_STATUS_BAR else ""
        text = ", ".join(f"{prompt} {value:.2g}" for value, prompt in named[:IN_STATUS_BAR])
        self._show_in_status(text + more)

    def _show_in_status(self, values: str) -> None:
        """Add to what napari shows in its status bar."""
        if values != self._values:
            self._values = values
            for emitter in (self._state.events.results, self._state.events.image):
                emitter.connect(self._on_results, unique=True)  # before, a run needs no look here
            self._viewer.status = self._status
            self._on_status()

    def _on_status(self, _event: Any = None) -> None:
        status = self._viewer.status
        if status != self._with_values(self._status):
            self._status = status
        if self._values and status != self._with_values(self._status):
            self._viewer.status = self._with_values(self._status)

    def _with_values(self, status: Any) -> Any:
        if isinstance(status, str):
            return f"{status}  {self._values}" if self._values else status
        return {**status, "coordinates": f"{status['coordinates']}  {self._values}".rstrip()}

    def _on_results(self, _results: object) -> None:
        """Let no value stay of maps that are another image's by now, or have gone."""
        if self._values:
            self._throttler.throttle()

    def _on_moved(self, _event: Any) -> None:
        self._throttler.throttle()


def position_on(image: Image, position: Sequence[float]) -> PlanePosition:
    """Return where a point of the viewer's world lies on an image."""
    *leading, y, x = image.world_to_data(position)[: image.ndim]
    return tuple(round(each) for each in leading), y + 0.5, x + 0.5
