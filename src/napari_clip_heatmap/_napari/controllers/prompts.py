"""The rows of the prompt table: their figures and notes, and which heatmap layers are visible."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap._napari.controllers.layers import (
    heatmaps_by_row,
    is_own,
    row_key_of,
)
from napari_clip_heatmap._napari.controllers.status import merged_notes, summary
from napari_clip_heatmap._napari.views.prompt_model import RowFigures

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_clip_heatmap._napari.state import DockState, LayerResult
    from napari_clip_heatmap._napari.views.prompt_model import PromptModel

__all__ = ["LayerVisibility", "PromptController", "figures_of"]


class PromptController:
    """Shows the figures of the image that is chosen, and never those of another one.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    prompts : PromptModel
        The table's rows.
    """

    def __init__(self, state: DockState, viewer: ViewerModel, prompts: PromptModel) -> None:
        self._state, self._viewer, self._prompts = state, viewer, prompts
        state.events.results.connect(self.refresh)
        state.events.image.connect(self._on_image)
        viewer.layers.events.removed.connect(self._on_removed)

    def refresh(self) -> None:
        """Show what is known of the chosen image's heatmaps."""
        result = self._state.result
        self._prompts.set_figures({} if result is None else figures_of(result))
        if result is not None:
            assessed = () if result.assessment is None else result.assessment.notes
            self._state.notes = merged_notes(result.result.notes, assessed)

    def close(self) -> None:
        """Let go of the viewer."""
        self._state.events.results.disconnect(self.refresh)
        self._state.events.image.disconnect(self._on_image)
        self._viewer.layers.events.removed.disconnect(self._on_removed)

    def _on_image(self) -> None:
        """Show the latest result of the image that was chosen, or that there is none."""
        state = self._state
        self._prompts.set_cursor_values({})
        self.refresh()
        if state.result is None:
            state.notes = ()
        if state.busy:
            return
        if state.result is not None:
            result, image = state.result.result, state.result.image
            state.message = summary(result, image.scale[-2:], image.units[-2:])
        else:
            state.message = "" if state.image is None else f"Not run on '{state.image.name}' yet"

    def _on_removed(self, event: object) -> None:
        layer = getattr(event, "value", None)
        if layer is not None:
            self._state.forget_result(layer)


def figures_of(shown: LayerResult) -> dict[str, RowFigures]:
    """Return what the table shows of each row of a result."""
    result, assessment = shown.result, shown.assessment
    low, high = float(result.similarity.min()), float(result.similarity.max())
    spread = high - low or 1.0
    figures = {}
    for number, (key, value) in enumerate(zip(result.keys, result.similarity, strict=True)):
        check = None if assessment is None else assessment.checks[number]
        figures[key] = RowFigures(
            similarity=float(value),
            fraction=(float(value) - low) / spread,
            verdict=check.verdict if check else None,
            advice=f"{check.verdict}. {check.advice}\n({check.figures}.)" if check else "",
        )
    return figures


NEXT_KEY, PREVIOUS_KEY, SOLO_KEY = "N", "Shift-N", "Alt-N"
"""In the viewer: step to the next prompt and to the previous one, solo the visible one."""


class LayerVisibility:
    """Keeps the table's ticks and the layers of the chosen image in agreement.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    model : PromptModel
        The table's rows.
    """

    def __init__(self, state: DockState, viewer: ViewerModel, model: PromptModel) -> None:
        self._state, self._viewer, self._model = state, viewer, model
        self._before_solo: dict[str, bool] = {}
        self._busy = False
        self._bound: list[str] = []
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        model.show.connect(self.show)
        model.solo.connect(self.solo)
        state.events.image.connect(self._on_image)
        state.events.results.connect(self.refresh)
        for layer in viewer.layers:
            layer.events.visible.connect(self._on_visible)
        self._bind(NEXT_KEY, lambda _viewer: self.step(1))
        self._bind(PREVIOUS_KEY, lambda _viewer: self.step(-1))
        self._bind(SOLO_KEY, lambda _viewer: self.solo(state.solo or self._first_visible()))
        self.refresh()

    def close(self) -> None:
        """Let go of the viewer."""
        self._state.events.image.disconnect(self._on_image)
        self._state.events.results.disconnect(self.refresh)
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
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
        self._model.set_visible(visible, self._state.solo)

    def show(self, key: str, visible: bool) -> None:
        """Show or hide a row's layer; one that the user had removed is made again."""
        state, layer = self._state, self.layers().get(key)
        if layer is not None:
            layer.visible = visible
        elif visible and state.image is not None:
            removed = (str(state.image.unique_id), key)
            state.removed_rows = state.removed_rows - {removed}
        self.refresh()

    def solo(self, key: str) -> None:
        """Show one row's layer alone; called again, what was visible before."""
        state, layers = self._state, self.layers()
        if key == state.solo:
            state.solo = ""
            self._set(self._before_solo)
        elif key in layers:
            if not state.solo:
                self._before_solo = {each: layer.visible for each, layer in layers.items()}
            state.solo = key
            self._set({each: each == key for each in layers})
        self.refresh()

    def step(self, step: int) -> None:
        """Show the next prompt's layer alone, or the one before it."""
        keys = [row.key for row in self._model.rows if row.key in self.layers()]
        current = self._state.solo or self._first_visible()
        position = keys.index(current) + step if current in keys else 0
        if keys and keys[position % len(keys)] != self._state.solo:
            self.solo(keys[position % len(keys)])

    def _first_visible(self) -> str:
        """Return the key of the first row whose layer is visible."""
        layers = self.layers()
        visible = (
            row.key for row in self._model.rows if row.key in layers and layers[row.key].visible
        )
        return next(visible, "")

    def _set(self, visible: dict[str, bool]) -> None:
        layers = self.layers()
        self._busy = True
        for key, shown in visible.items():
            if key in layers:
                layers[key].visible = shown
        self._busy = False

    def _on_image(self) -> None:
        self._state.solo = ""
        self.refresh()

    def _on_visible(self, event: Any) -> None:
        if not self._busy and self._is_of_image(event.source):
            self._state.solo = ""  # changed by hand: what was before is no longer wanted
            self.refresh()

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
            if key == self._state.solo:
                self._state.solo = ""
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
