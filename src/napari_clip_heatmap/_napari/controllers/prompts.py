"""What the prompt table and the notes say of the chosen image's heatmaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_clip_heatmap._napari.controllers.status import merged_notes, summary
from napari_clip_heatmap._napari.views.prompt_model import RowFigures

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_clip_heatmap._napari.state import DockState, LayerResult
    from napari_clip_heatmap._napari.views.prompt_model import PromptModel

__all__ = ["PromptController", "figures_of"]


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
