"""Which maps are on the canvas, and how far to trust them, in a corner of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_clip_heatmap._napari.controllers.layers import heatmaps_by_row
from napari_clip_heatmap._napari.state import RowTrust

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_clip_heatmap._napari.state import DockState

__all__ = ["VerdictText", "text_overlay_of"]

PREVIEW = "preview"


class VerdictText:
    """Writes the prompts of the visible maps on the canvas, each with its trust.

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
            for name in ("results", "image", "status", "step", "visible_rows", "missing_slice")
        )
        for emitter in self._emitters:
            emitter.connect(self.update)

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
        state, result = self._state, self._state.result
        ours = heatmaps_by_row(self._viewer, state.image)
        prompts = {row.key: row.prompt for row in state.prompts}
        trust = {} if result is None else result.trust
        preview = state.busy or (result is not None and result.is_preview)
        lines = []
        for key, layer in ours.items():
            if layer.visible and key in prompts:
                word = PREVIEW if preview else _words(trust.get(key, RowTrust.UNKNOWN))
                word = word if state.missing_slice is None else "this slice is not computed"
                lines.append(f"{prompts[key]} - {word}" if word else prompts[key])
        return lines


def text_overlay_of(viewer: ViewerModel) -> Any:
    """Return the viewer's text overlay, which napari 0.9 moved."""
    canvas = getattr(viewer, "canvas", None)
    return viewer.text_overlay if canvas is None else canvas.overlays.text


def _words(trust: RowTrust) -> str:
    """Return what stands behind the prompt of a map."""
    return "" if trust is RowTrust.UNKNOWN else f"trust: {trust}"
