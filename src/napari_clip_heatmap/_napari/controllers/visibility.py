"""Which map is shown: the current row, the map on screen and the active layer go in step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from napari_clip_heatmap._napari.controllers.layers import (
    changing,
    heatmaps_by_row,
    is_changing,
    is_own,
    row_key_of,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_clip_heatmap._napari.state import DockState
    from napari_clip_heatmap._napari.view_protocols import Signal
    from napari_clip_heatmap._napari.views.prompt_model import PromptModel

__all__ = ["LayerVisibility", "RowChoice"]

NEXT_KEY, PREVIOUS_KEY = "N", "Shift-N"
"""In the viewer: step to the next prompt and to the previous one."""


class RowChoice(Protocol):
    """The view of the table, as far as its current row goes."""

    chosen: Signal

    def show_current(self, key: str) -> None:
        """Make a row the current one."""


class LayerVisibility:
    """Shows the map of the current row, and of the rows that are ticked besides.

    The current row, its map on screen and napari's active layer follow one another: whichever the
    user changes, in the table, with keys or in napari's list of layers.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    model : PromptModel
        The table's rows.
    table : RowChoice
        The table's view.
    """

    def __init__(
        self, state: DockState, viewer: ViewerModel, model: PromptModel, table: RowChoice
    ) -> None:
        self._state, self._viewer, self._model, self._table = state, viewer, model, table
        self._bound: list[str] = []
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.layers.selection.events.active.connect(self._on_active)
        model.show.connect(self.show)
        table.chosen.connect(self.choose)
        state.events.image.connect(self._on_image)
        state.events.results.connect(self._on_results)
        state.events.current.connect(self._on_current)
        for layer in viewer.layers:
            layer.events.visible.connect(self._on_visible)
        self._bind(NEXT_KEY, lambda _viewer: self.step(1))
        self._bind(PREVIOUS_KEY, lambda _viewer: self.step(-1))
        self.refresh()

    def close(self) -> None:
        """Let go of the viewer."""
        self._state.events.image.disconnect(self._on_image)
        self._state.events.results.disconnect(self._on_results)
        self._state.events.current.disconnect(self._on_current)
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self._viewer.layers.selection.events.active.disconnect(self._on_active)
        for layer in self._viewer.layers:
            layer.events.visible.disconnect(self._on_visible)
        for key in self._bound:
            self._viewer.bind_key(key, None)

    def layers(self) -> dict[str, Image]:
        """Return the chosen image's heatmap layers, by the key of their row."""
        return heatmaps_by_row(self._viewer, self._state.image)

    def refresh(self) -> None:
        """Show in the table which layers are visible."""
        visible = {key: layer.visible for key, layer in self.layers().items()}
        self._model.set_visible(visible)
        self._state.visible_rows = frozenset(key for key, shown in visible.items() if shown)

    def choose(self, key: str) -> None:
        """Make a row the current one: its map is shown instead of the last one's."""
        self._state.current = key

    def show(self, key: str, visible: bool) -> None:
        """Show or hide a row's layer; one that the user had removed is made again."""
        state, layer = self._state, self.layers().get(key)
        if layer is not None:
            layer.visible = visible
        elif visible and state.image is not None:
            removed = (str(state.image.unique_id), key)
            state.removed_rows = state.removed_rows - {removed}
        self.refresh()

    def step(self, step: int) -> None:
        """Make the next row that has a map the current one, or the one before it."""
        ours = self.layers()
        keys = [row.key for row in self._model.rows if row.key in ours]
        if keys:
            current = self._state.current
            position = keys.index(current) + step if current in keys else 0
            self.choose(keys[position % len(keys)])

    def _on_current(self, key: str, before: str) -> None:
        """Show the current row's map, and hide that of the last one unless it is ticked."""
        ours = self.layers()
        if key in ours:
            with changing():
                ours[key].visible = True
                comparing = self._state.controls.get("compare")
                if before in ours and before not in self._state.ticked and not comparing:
                    ours[before].visible = False
                self._viewer.layers.selection.active = ours[key]
        self._table.show_current(key)
        self.refresh()

    def _on_image(self) -> None:
        self._state.ticked = frozenset()
        self.refresh()

    def _on_results(self) -> None:
        """Let the first row that has a map be the current one where none is."""
        ours = self.layers()
        if ours and self._state.current not in ours:
            shown = (key for key, layer in ours.items() if layer.visible)
            self._state.current = next(shown, next(iter(ours)))
        self.refresh()

    def _on_active(self, event: Any) -> None:
        """Follow what is selected in napari's list of layers."""
        layer = event.value
        if layer is not None and self._is_of_image(layer) and not is_changing():
            self.choose(row_key_of(layer))

    def _on_visible(self, event: Any) -> None:
        """Note that a layer was shown or hidden by hand, with the current row's or instead."""
        layer = event.source
        if self._is_of_image(layer):
            self.refresh()
        if self._is_of_image(layer) and not is_changing():
            key, ticked = {row_key_of(layer)}, self._state.ticked
            self._state.ticked = ticked | key if layer.visible else ticked - key

    def _on_inserted(self, event: Any) -> None:
        event.value.events.visible.connect(self._on_visible)
        if self._is_of_image(event.value):
            self._note_removed(row_key_of(event.value), removed=False)
            self.refresh()

    def _on_removed(self, event: Any) -> None:
        event.value.events.visible.disconnect(self._on_visible)
        if self._is_of_image(event.value):
            key = row_key_of(event.value)
            if key in {row.key for row in self._model.rows}:  # else the row went first
                self._note_removed(key, removed=True)
            self.refresh()

    def _note_removed(self, key: str, *, removed: bool) -> None:
        state = self._state
        if state.image is not None:
            entry = {(str(state.image.unique_id), key)}
            rows = state.removed_rows | entry if removed else state.removed_rows - entry
            state.removed_rows = rows

    def _is_of_image(self, layer: Image) -> bool:
        image = self._state.image
        return image is not None and is_own(layer, image)

    def _bind(self, key: str, slot: Callable[[Any], None]) -> None:
        try:
            self._viewer.bind_key(key, slot)
        except ValueError:
            return  # bound by the user, or by a second dock like this one: that stays
        self._bound.append(key)
