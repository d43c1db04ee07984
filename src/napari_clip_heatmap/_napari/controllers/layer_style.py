"""Colors and scale of the heatmap layers, as the controls and the rows request them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_clip_heatmap._napari.controllers import layers

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_clip_heatmap._napari.state import DockState

__all__ = ["StyleController"]

LINKED = ("contrast_limits",)
"""What layers on one scale have in common, also when the user changes it."""


class StyleController:
    """Applies `DockState.style` to the layers of the chosen image.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    """

    def __init__(self, state: DockState, viewer: ViewerModel) -> None:
        self._state, self._viewer = state, viewer
        self._linked: list[Image] = []
        self._color_bar = False
        state.events.style.connect(self._on_style)
        state.events.controls.connect(self._on_controls)

    def apply(self, *, colormaps: bool = False) -> None:
        """Give the layers their limits, links and color bars; and their colormaps if asked for."""
        state, result = self._state, self._state.result
        ours = layers.heatmaps_by_row(self._viewer, state.image)
        self._unlink()
        if not ours:
            return
        if result is not None:
            limits = state.style.limits(result.result.limits, result.result.keys)
            for key, each in zip(result.result.keys, limits, strict=True):
                if key in ours:
                    layers.set_limits(ours[key], each)
        for key, layer in ours.items():
            if colormaps:
                layer.colormap = state.style.colormap(key)
            layers.set_color_bar(layer, visible=bool(state.controls.get("color_bar")))
        if state.style.scale == "shared" and len(ours) > 1:
            self._linked = list(ours.values())
            self._viewer.layers.link_layers(self._linked, LINKED)

    def close(self) -> None:
        """Stop listening."""
        self._state.events.style.disconnect(self._on_style)
        self._state.events.controls.disconnect(self._on_controls)

    def _on_style(self) -> None:
        self.apply(colormaps=True)

    def _on_controls(self) -> None:
        color_bar = bool(self._state.controls.get("color_bar"))
        if color_bar != self._color_bar:
            self._color_bar = color_bar
            self.apply()

    def _unlink(self) -> None:
        there = [layer for layer in self._linked if layer in self._viewer.layers]
        if len(there) > 1:
            self._viewer.layers.unlink_layers(there, LINKED)
        self._linked = []
