"""What the prompt table and the notes say of the chosen image's heatmaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_clip_heatmap._napari.controllers.read_controls import problem_of
from napari_clip_heatmap._napari.controllers.status import merged_notes, summary
from napari_clip_heatmap._napari.row_trust import facts_of
from napari_clip_heatmap._napari.views.prompt_model import RowFigures, wrapped

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_clip_heatmap._napari.state import DockState, LayerResult
    from napari_clip_heatmap._napari.views.prompt_model import PromptModel

__all__ = ["PromptController", "figures_of", "unknown_words_of"]

CANCELS_OUT = "Its words cancel out, so its map is zero everywhere."
"""Of a prompt such as "nuclei - nuclei"."""

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
        viewer.layers.events.removed.connect(self._on_removed)
        self._find_problems()

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
        self._viewer.layers.events.removed.disconnect(self._on_removed)

    def _show_notes(self) -> None:
        """Show the current row's facts, and what is to be known of all maps."""
        state, result = self._state, self._state.result
        if result is None:
            if not state.busy:
                state.notes = ()
            return
        assessed = () if result.assessment is None else result.assessment.notes
        preview = (PREVIEW,) if result.is_preview else ()
        notes = merged_notes((*preview, *result.result.notes), assessed)
        state.notes = (*self._current_facts(result), *notes)

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
        """Mark the rows that cannot be read, and those with words that the model never met."""
        result = self._state.result
        unknown = {} if result is None else unknown_words_of(result)
        problems = {}
        for row in self._state.prompts:
            if reason := problem_of(row.prompt):
                problems[row.key] = f"Not run: {reason}"
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

    def _on_removed(self, event: object) -> None:
        layer = getattr(event, "value", None)
        if layer is not None:
            self._state.forget_result(layer)


def unknown_words_of(shown: LayerResult) -> dict[str, tuple[str, ...]]:
    """Return the words that the model never met, by prompt; prompts of known words are left out."""
    text = next(iter(shown.result.encodings.values())).text
    words = {prompt: tuple(text.unknown_words(prompt)) for prompt in shown.result.scoring.prompts}
    return {prompt: unknown for prompt, unknown in words.items() if unknown}


def figures_of(shown: LayerResult) -> dict[str, RowFigures]:
    """Return what the table shows of each row of a result."""
    result, assessment, trust = shown.result, shown.assessment, shown.trust
    low, high = float(result.similarity.min()), float(result.similarity.max())
    spread = high - low or 1.0
    figures = {}
    for number, (key, value) in enumerate(zip(result.keys, result.similarity, strict=True)):
        facts = () if assessment is None else facts_of(assessment.checks[number])
        if key in shown.empty_rows:
            facts = (CANCELS_OUT,)
        figures[key] = RowFigures(
            similarity=float(value),
            fraction=(float(value) - low) / spread,
            trust=trust.get(key),
            facts=tuple(map(wrapped, facts)),
        )
    return figures
