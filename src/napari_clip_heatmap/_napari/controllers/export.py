"""What the export menu does: copy a layer as text, draw it along edges; encodings on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_clip_heatmap._napari.controllers.background import Job
from napari_clip_heatmap._napari.controllers.layers import own_heatmaps
from napari_clip_heatmap._napari.controllers.read_controls import read_request
from napari_clip_heatmap._napari.controllers.status import report_failure
from napari_clip_heatmap._napari.inputs.layer_planes import METADATA_KEY, shown_index
from napari_clip_heatmap._napari.inputs.layer_regions import image_shape
from napari_clip_heatmap._napari.job.request import ResultStatus
from napari_clip_heatmap._napari.job.run import PromptScorer
from napari_clip_heatmap._napari.state import LayerResult
from napari_clip_heatmap.errors import ClipHeatmapError, ImageError
from napari_clip_heatmap.files.methods_paragraph import methods_text
from napari_clip_heatmap.files.reproduction_script import python_script

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_clip_heatmap._napari.controllers.canvas.edge_display import EdgeDisplay
    from napari_clip_heatmap._napari.job.request import HeatmapRequest
    from napari_clip_heatmap._napari.state import DockState
    from napari_clip_heatmap._napari.views.export_menu import ExportMenu
    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

__all__ = ["ExportController"]

MEGABYTE = 10**6


class ExportController:
    """Does what the export menu offers.

    Parameters
    ----------
    state : DockState
    viewer : ViewerModel
    cache : EncodingCache
    menu : ExportMenu
    show : callable(LayerResult)
        Shows a result that was opened.
    copy : callable(str)
        Puts a text on the clipboard.
    """

    def __init__(
        self,
        state: DockState,
        viewer: ViewerModel,
        cache: EncodingCache,
        menu: ExportMenu,
        show: Callable[[LayerResult], None],
        copy: Callable[[str], None],
    ) -> None:
        self._state, self._viewer, self._cache = state, viewer, cache
        self._menu, self._copy = menu, copy
        self._saving = Job(self._on_saved, self._on_error)
        self._opening = Job(show, self._on_error)
        self._drawing = Job(self._on_drawn, self._on_error)
        menu.script_requested.connect(partial(self.copy_text, python_script, "A script"))
        menu.methods_requested.connect(
            partial(self.copy_text, methods_text, "A paragraph on methods")
        )
        menu.edges_requested.connect(self.draw_along_edges)
        menu.save_requested.connect(self.save)
        menu.open_requested.connect(self.open)
        menu.clear_requested.connect(self.clear)
        menu.about_to_show.connect(self._on_about_to_show)

    def close(self) -> None:
        """Stop what is at work."""
        self._saving.close()
        self._opening.close()
        self._drawing.close()

    def copy_text(self, make: Callable[[Any], str], what: str) -> None:
        """Put a text made from a heatmap layer's metadata on the clipboard."""
        layer = self._heatmap_layer()
        if layer is None:
            report_failure(self._state, "there is no heatmap layer yet: run first")
            return
        try:
            text = make(layer.metadata[METADATA_KEY])
        except ClipHeatmapError as error:
            report_failure(self._state, error)
            return
        self._copy(text)
        self._state.message = f"{what} of '{layer.name}' is on the clipboard"

    def draw_along_edges(self) -> None:
        """Add a picture of a heatmap that follows the image's edges; no number is made from it."""
        # Here, as most sessions never ask for it.
        from napari_clip_heatmap._napari.controllers.canvas.edge_display import edge_display_work

        shown, layer = self._state.result, self._heatmap_layer()
        if shown is None or layer is None:
            report_failure(self._state, "there is no heatmap of this image yet: run first")
            return
        try:
            work = edge_display_work(shown, layer, self._viewer)
        except ClipHeatmapError as error:
            report_failure(self._state, error)
            return
        self._state.message = "Drawing along edges"
        self._drawing.submit(lambda: work)

    def save(self, path: str | Path) -> None:
        """Write the encoding of the slice in view."""
        shown = self._state.result
        if shown is None:
            report_failure(self._state, "there is no encoding of this image yet: run first")
            return
        encoding = shown.encoding
        if encoding is None:
            report_failure(self._state, "this slice has no encoding: press Run for it first")
            return

        def write(_stopped: Callable[[], bool]) -> Path:
            return encoding.save(path, overwrite=True)

        self._state.message = "Saving"
        self._saving.submit(lambda: write)

    def open(self, path: str | Path) -> None:
        """Show the prompts' heatmaps from an encoding on the chosen image; no image tower runs."""
        state = self._state
        try:
            request = read_request(state, self._viewer)
        except ClipHeatmapError as error:
            report_failure(self._state, error)
            return
        image = state.image
        if image is None:
            return
        # Figures of another image of that size would look just as good.
        origin = f"Opened from '{Path(path).name}', which does not say what image it was made from."
        request = replace(request, view_notes=(*request.view_notes, origin))
        state.message = "Opening"
        state.forget_removed_rows(image)  # whoever opens it wants to see it
        index = shown_index(image, self._viewer.dims.point)
        self._opening.submit(lambda: lambda _stopped: _open(image, request, index, path))

    def clear(self) -> None:
        """Remove all encodings from the disk."""
        try:
            freed = self._cache.clear()
        except (ClipHeatmapError, OSError) as error:
            report_failure(self._state, error)
            return
        self._state.message = f"Removed {freed / MEGABYTE:.0f} MB of encodings from the disk"

    def _on_about_to_show(self) -> None:
        self._menu.show_cache_size(self._cache.size / MEGABYTE)

    def _heatmap_layer(self) -> Image | None:
        """Return the selected heatmap layer, else a visible one, else any."""
        ours = own_heatmaps(self._viewer)
        active = self._viewer.layers.selection.active
        candidates = [layer for layer in ours if layer is active] + [
            layer for layer in reversed(ours) if layer.visible
        ]
        return next(iter([*candidates, *ours]), None)

    def _on_drawn(self, drawn: EdgeDisplay) -> None:
        from napari_clip_heatmap._napari.controllers.canvas.edge_display import add_edge_display

        layer = add_edge_display(self._viewer, drawn)
        self._state.message = (
            f"'{layer.name}' is a picture for the eye: what is between patches is drawn by the "
            "image, not seen by the model, and no number is made from it"
        )

    def _on_saved(self, path: Path) -> None:
        self._state.message = f"Saved to {path}"

    def _on_error(self, error: Exception) -> None:
        report_failure(self._state, error)


def _open(
    image: Image, request: HeatmapRequest, index: tuple[int, ...], path: str | Path
) -> LayerResult:
    from napari_clip_heatmap.api import open_encoding

    encoding = open_encoding(path)
    here = image_shape(image)
    if encoding.image_shape != here:
        raise ImageError(
            f"the encoding is of an image of {encoding.image_shape[0]} x "
            f"{encoding.image_shape[1]} pixels, and '{image.name}' has {here[0]} x {here[1]}; "
            "choose the image that it was made from"
        )
    scorer = PromptScorer(request, encoding.text)
    scorer.paint(index, encoding)
    if encoding.complete:
        return LayerResult(image, request, scorer.result(ResultStatus.COMPLETE))
    message = "the encoding was saved before all tiles were done"
    return LayerResult(image, request, scorer.result(ResultStatus.STOPPED, message))
