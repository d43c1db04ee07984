"""The rows of the prompt table: their figures and notes, and which map is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from napari_clip_heatmap._napari.controllers.help.first_steps import first_steps
from napari_clip_heatmap._napari.controllers.layers import (
    changing,
    heatmaps_by_row,
    is_changing,
    is_own,
    own_heatmaps,
    row_key_of,
    set_visible,
)
from napari_clip_heatmap._napari.controllers.read_controls import (
    changed_since,
    problem_of,
    repeated_rows,
)
from napari_clip_heatmap._napari.controllers.status import (
    figures_of,
    merged_notes,
    summary,
    unknown_words_of,
)
from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY, is_heatmap

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

    from napari_clip_heatmap._napari.state import DockState, LayerResult
    from napari_clip_heatmap._napari.view_protocols import Signal
    from napari_clip_heatmap._napari.views.prompt_model import PromptModel

__all__ = ["LayerVisibility", "PromptController", "RowChoice"]

LOOKS = ("contrast_limits", "gamma", "colormap")
"""What of an image's layer changes what the model sees."""

PREVIEW = (
    "Preview: some tiles are not done, and there the map is coarse. Run goes on from here; until "
    "then there are no verdicts."
)


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
        state.events.current.connect(self._show_notes)
        state.events.prompts.connect(self._find_problems)
        state.events.problems.connect(prompts.set_problems)
        state.events.image.connect(self._on_image)
        for emitter in (state.events.status, state.events.controls, state.events.channels):
            emitter.connect(self._show_notes)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        for layer in viewer.layers:
            self._listen(layer, on=True)
        self._find_problems()
        self._show_notes()

    def refresh(self) -> None:
        """Show what is known of the chosen image's heatmaps."""
        result = self._state.result
        self._prompts.set_figures({} if result is None else figures_of(result))
        self._find_problems()
        self._show_notes()

    def close(self) -> None:
        """Let go of the viewer."""
        events = self._state.events
        events.results.disconnect(self.refresh)
        events.current.disconnect(self._show_notes)
        events.prompts.disconnect(self._find_problems)
        events.problems.disconnect(self._prompts.set_problems)
        events.image.disconnect(self._on_image)
        for emitter in (events.status, events.controls, events.channels):
            emitter.disconnect(self._show_notes)
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        for layer in self._viewer.layers:
            self._listen(layer, on=False)

    def _listen(self, layer: Layer, *, on: bool) -> None:
        """Listen to what an image's figures depend on, and to its name; or no longer."""
        slots = {"data": self._on_data, "name": self._on_named}
        for name, slot in {**slots, **dict.fromkeys(LOOKS, self._on_look)}.items():
            emitter = getattr(layer.events, name, None)
            if emitter is not None and not is_heatmap(layer):
                (emitter.connect if on else emitter.disconnect)(slot)

    def _show_notes(self) -> None:
        """Show the current row's facts, and what is to be known of all maps."""
        state, result = self._state, self._state.result
        if result is None:
            state.notes = () if state.busy else first_steps(state)
            return
        assessed = () if result.assessment is None else result.assessment.notes
        preview = (PREVIEW,) if result.is_preview else ()
        notes = merged_notes((*preview, *result.result.notes), assessed)
        state.notes = (*self._changes(result), *self._current_facts(result), *notes)

    def _changes(self, result: LayerResult) -> tuple[str, ...]:
        """Say what is not as it was when the result was made."""
        changed = changed_since(result.request, self._state, self._viewer)
        return (f"Made with another {' and '.join(changed)}: press Run.",) if changed else ()

    def _current_facts(self, result: LayerResult) -> tuple[str, ...]:
        key = self._state.current
        figures = figures_of(result).get(key)
        words = next((row.prompt for row in self._state.prompts if row.key == key), "")
        problem = self._state.problems.get(key, "")
        facts = () if figures is None or figures.trust is None else figures.facts
        heads = (f"{words} - trust: {figures.trust}.",) if figures and figures.trust else ()
        about = (*heads, *facts, *((problem,) if problem else ()))
        return (" ".join(each.replace("\n", " ") for each in about),) if about else ()

    def _find_problems(self) -> None:
        """Mark the rows that get no map, and those with words that the model never met."""
        result = self._state.result
        unknown = {} if result is None else unknown_words_of(result)
        problems = {}
        repeated = repeated_rows(self._state.prompts)
        for row in self._state.prompts:
            if reason := problem_of(row):
                problems[row.key] = f"Not run: {reason}"
            elif row.key in repeated:
                problems[row.key] = "A row above asks the same, and has the map."
            elif words := unknown.get(row.prompt):
                problems[row.key] = (
                    f"The model never met {', '.join(map(repr, words))}: its map can only come "
                    "from pieces of these words."
                )
        if problems != self._state.problems:
            self._state.problems = problems

    def _on_image(self) -> None:
        """Show the latest result of the image that was chosen, or that there is none."""
        state = self._state
        self._prompts.set_cursor_values({})
        self.refresh()
        if state.busy:
            return
        if state.result is not None:
            result, image = state.result.result, state.result.image
            state.message = summary(result, image.scale[-2:], image.units[-2:])
        else:
            state.message = "" if state.image is None else f"Not run on '{state.image.name}' yet"

    def _on_inserted(self, event: Any) -> None:
        self._listen(event.value, on=True)

    def _on_removed(self, event: Any) -> None:
        self._listen(event.value, on=False)
        self._state.forget_result(event.value)

    def _on_look(self, event: Any) -> None:
        if event.source is self._state.image or event.source in self._state.channels:
            self._show_notes()

    def _on_named(self, event: Any) -> None:
        """Let what names an image follow its new name."""
        for layer in own_heatmaps(self._viewer, event.source):
            _follow_name(layer, event.source)
        if event.source is self._state.image:
            self._on_image()

    def _on_data(self, event: Any) -> None:
        """Forget what is known of an image whose data, or those of a channel, are other ones."""
        state, layer = self._state, event.source

        def is_outdated(each: LayerResult) -> bool:
            return each.image is layer or layer.name in each.request.channel_names

        state.taken_away = tuple(each for each in state.taken_away if not is_outdated(each))
        for result in filter(is_outdated, tuple(state.results.values())):
            state.forget_result(result.image)
            if result.image is state.image:
                state.message = f"The data of '{layer.name}' was replaced: press Run"


def _follow_name(layer: Image, source: Image) -> None:
    """Let a name that we gave a layer hold the new name of its source."""
    mark = layer.metadata[METADATA_KEY]
    given = mark["layer_name"]
    if layer.name == given == f"{mark['named_after']} - {mark['source']}":
        layer.name = given = f"{mark['named_after']} - {source.name}"
    layer.metadata[METADATA_KEY] = {**mark, "source": source.name, "layer_name": given}


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
        self._on_results()

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
        state = self._state
        state.visible_rows = frozenset(key for key, shown in visible.items() if shown)
        state.visible_elsewhere = frozenset(
            str(layer.unique_id)
            for layer in own_heatmaps(self._viewer)
            if layer.visible and not self._is_of_image(layer)
        )

    def choose(self, key: str) -> None:
        """Make a row the current one: its map is shown instead of the last one's."""
        self._state.current = key

    def show(self, key: str, visible: bool) -> None:
        """Show or hide a row's layer; one that the user had removed is made again."""
        state, layer = self._state, self.layers().get(key)
        if layer is not None:
            set_visible((layer,), visible=visible)
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
                set_visible((ours[key],), visible=True)
                comparing = self._state.controls.get("compare")
                if before in ours and before not in self._state.ticked and not comparing:
                    set_visible((ours[before],), visible=False)
                self._viewer.layers.selection.active = ours[key]
        self._table.show_current(key)
        self.refresh()

    def _on_image(self) -> None:
        self._state.ticked = frozenset()
        self.refresh()

    def _on_results(self) -> None:
        """Let the row of a visible map be the current one where none is."""
        ours = self.layers()
        if ours and self._state.current not in {row.key for row in self._model.rows}:
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
        if is_own(layer):
            self.refresh()
        if self._is_of_image(layer) and not is_changing():
            key, ticked = {row_key_of(layer)}, self._state.ticked
            self._state.ticked = ticked | key if layer.visible else ticked - key

    def _on_inserted(self, event: Any) -> None:
        event.value.events.visible.connect(self._on_visible)
        if self._is_of_image(event.value):
            self._note_removed(row_key_of(event.value), removed=False)
        if is_own(event.value):
            self.refresh()

    def _on_removed(self, event: Any) -> None:
        event.value.events.visible.disconnect(self._on_visible)
        if self._is_of_image(event.value):
            key = row_key_of(event.value)
            if key in {row.key for row in self._model.rows}:  # else the row went first
                self._note_removed(key, removed=True)
        if is_own(event.value):
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
