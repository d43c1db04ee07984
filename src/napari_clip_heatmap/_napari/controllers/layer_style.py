"""Colors and scale of the heatmap layers, as the controls and the rows request them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap._napari.controllers import layers

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_clip_heatmap._napari.state import DockState

__all__ = ["StyleController"]

LINKED = ("contrast_limits",)
"""What layers on one scale have in common, also when the user changes it."""


class StyleController:
    """Applies colors, scale and opacity to the layers of the chosen image, and hears napari's own.

    What the user sets on a heatmap layer in napari's controls is noted in `DockState.by_hand`.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    """

    def __init__(self, state: DockState, viewer: ViewerModel) -> None:
        self._state, self._viewer = state, viewer
        self._linked: list[list[Image]] = []
        self._controls: tuple[Any, ...] = ()
        state.events.style.connect(self.apply)
        state.events.controls.connect(self._on_controls)
        state.events.results.connect(self.apply)
        state.events.by_hand.connect(self.apply)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)

    def apply(self, *_: Any) -> None:
        """Give the layers their colormaps, limits, opacity, links and color bars."""
        state, result = self._state, self._state.result
        ours = layers.heatmaps_by_row(self._viewer, state.image)
        self._unlink()
        if not ours:
            return
        look = state.style_of(state.image)
        if result is not None and not state.busy:
            limits = look.limits(result.result.limits, result.result.keys)
            for key, each in zip(result.result.keys, limits, strict=True):
                if key in ours:
                    layers.set_limits(ours[key], each)
        for key, layer in ours.items():
            layers.set_look(layer, look, key)
            layers.set_color_bar(layer, visible=bool(state.controls.get("color_bar")))
        if look.scale == "shared":
            self._link(ours.values())

    def close(self) -> None:
        """Stop listening."""
        events = self._state.events
        for emitter in (events.style, events.results, events.by_hand):
            emitter.disconnect(self.apply)
        events.controls.disconnect(self._on_controls)
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        for layer in layers.own_heatmaps(self._viewer):
            self._listen(layer, on=False)

    def _on_controls(self) -> None:
        values = tuple(self._state.controls.get(name) for name in ("color_bar", "score"))
        if values != self._controls:
            self._controls = values
            self.apply()

    def _on_inserted(self, event: Any) -> None:
        if layers.is_own(event.value):
            self._listen(event.value, on=True)

    def _on_removed(self, event: Any) -> None:
        if layers.is_own(event.value):
            self._listen(event.value, on=False)

    def _listen(self, layer: Image, *, on: bool) -> None:
        for name in layers.HAND_SET:
            emitter = getattr(layer.events, name)
            if on:
                emitter.connect(self._on_set)
            else:
                emitter.disconnect(self._on_set)

    def _on_set(self, event: Any) -> None:
        """Note what the user set on a layer."""
        layer, name = event.source, event.type
        if layers.is_changing() or not layers.is_own(layer):
            return
        value = getattr(layer, name)
        kept = tuple(map(float, value)) if name == "contrast_limits" else value
        with layers.changing():  # the layer has it already
            self._state.note_by_hand(
                layers.source_id_of(layer), layers.row_key_of(layer), name, kept
            )

    def _link(self, ours: Iterable[Image]) -> None:
        """Link the limits of layers that have the same ones, so that they stay on one scale."""
        groups: dict[tuple[float, ...], list[Image]] = {}
        for layer in ours:
            groups.setdefault(tuple(layer.contrast_limits), []).append(layer)
        self._linked = [group for group in groups.values() if len(group) > 1]
        for group in self._linked:
            self._viewer.layers.link_layers(group, LINKED)

    def _unlink(self) -> None:
        for group in self._linked:
            there = [layer for layer in group if layer in self._viewer.layers]
            if len(there) > 1:
                self._viewer.layers.unlink_layers(there, LINKED)
        self._linked = []
