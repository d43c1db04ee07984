"""All that the sections Annotate and Classify objects do, put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app_model import Application

from napari_clip_heatmap._napari.controllers.annotation.classify import ObjectClassifier
from napari_clip_heatmap._napari.controllers.annotation.layer_menu import LayerMenu
from napari_clip_heatmap._napari.controllers.annotation.object_layers import Ask, ObjectLayers
from napari_clip_heatmap._napari.controllers.annotation.object_maker import ObjectMaker
from napari_clip_heatmap._napari.controllers.annotation.outline_preview import OutlinePreview
from napari_clip_heatmap._napari.controllers.annotation.threshold import ThresholdController

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_clip_heatmap._napari.state import DockState
    from napari_clip_heatmap._napari.view_protocols import DockView

__all__ = ["AnnotationSection"]


class AnnotationSection:
    """From heatmaps to annotations.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    view : DockView
    ask : Ask
    open_table : callable()
        Opens napari's own table of features.
    """

    def __init__(
        self,
        state: DockState,
        viewer: ViewerModel,
        view: DockView,
        ask: Ask,
        open_table: Callable[[], None],
    ) -> None:
        controls = view.controls
        self._state, self._count = state, controls["object_count"]
        self._prompts = controls["prompts"].model
        layers = ObjectLayers(viewer, state.annotation, ask)
        self.preview = OutlinePreview(viewer)
        self.threshold = ThresholdController(state, viewer, controls, view.show_row, self.preview)
        buttons = controls["make_objects"].view
        self.maker = ObjectMaker(
            state, viewer, self.threshold, layers, buttons, controls["slice_plot"].view
        )
        self.classifier = ObjectClassifier(state, viewer, controls, layers, open_table)
        self.menu = LayerMenu(
            viewer,
            self.threshold.choose,
            self.maker.make,
            Application.get_app("napari"),
        )
        buttons.seen.connect(self.threshold.use)
        state.annotation.events.counts.connect(self._show_counts)

    def close(self) -> None:
        """Let go of the viewer."""
        self._state.annotation.events.counts.disconnect(self._show_counts)
        for each in (self.menu, self.classifier, self.maker, self.threshold, self.preview):
            each.close()

    def _show_counts(self) -> None:
        """Show the counts in the prompts' rows, and in a line."""
        result, counts = self._state.result, self._state.annotation.counts
        self._prompts.set_counts(counts)
        prompts = (
            {}
            if result is None
            else dict(zip(result.result.keys, result.result.scoring.prompts, strict=True))
        )
        words = [f"{prompts[key]} {count}" for key, count in counts.items() if key in prompts]
        self._count.value = " \N{MIDDLE DOT} ".join(words)
