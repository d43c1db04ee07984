"""Done now and then: a layer as a script or a paragraph; encodings saved, opened, cleared."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error
from qtpy.QtWidgets import QApplication, QFileDialog, QMenu

from napari_clip_heatmap._napari.controllers.background import LatestTask
from napari_clip_heatmap._napari.controllers.layers import METADATA_KEY, own_heatmaps
from napari_clip_heatmap._napari.controllers.live_update import LayerResult
from napari_clip_heatmap._napari.controllers.read_controls import read_request
from napari_clip_heatmap._napari.inputs.layer_planes import shown_index
from napari_clip_heatmap._napari.inputs.layer_regions import image_shape
from napari_clip_heatmap._napari.job.run import PromptScorer
from napari_clip_heatmap.errors import ClipHeatmapError, ImageError
from napari_clip_heatmap.files.methods_paragraph import methods_text
from napari_clip_heatmap.files.reproduction_script import python_script

if TYPE_CHECKING:
    from magicgui.widgets import Container
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_clip_heatmap._napari.job.request import HeatmapRequest
    from napari_clip_heatmap.pipeline.storage.cache import EncodingCache

__all__ = ["ExportMenu"]

MEGABYTE = 10**6
FILES = "Encodings (*.zarr.zip *.zarr)"


class ExportMenu:
    """The actions behind the widget's button of that name.

    Parameters
    ----------
    parts : Container
        The dock widget's.
    viewer : ViewerModel
    cache : EncodingCache
    last : callable
        Returns what was answered last, or None.
    opened : callable(LayerResult)
        Told of an encoding that was opened, with its maps.
    say : callable(str)
        Tells the user.
    """

    def __init__(
        self,
        parts: Container[Any],
        viewer: ViewerModel,
        cache: EncodingCache,
        last: Callable[[], LayerResult | None],
        opened: Callable[[LayerResult], None],
        say: Callable[[str], None],
    ) -> None:
        self._parts, self._viewer, self._cache = parts, viewer, cache
        self._last, self._say = last, say
        self._saving = LatestTask(say, self._refuse, patience=0)
        self._opening = LatestTask(opened, self._refuse, patience=0)
        button = parts["more"].native
        self.menu = QMenu(button)
        button.setMenu(self.menu)
        self._fill()
        self.menu.aboutToShow.connect(self._measure)

    def close(self) -> None:
        """Tell nobody any more."""
        self._saving.close()
        self._opening.close()

    def copy(self, make: Callable[[Any], str], what: str) -> None:
        """Put a text made from a heatmap layer's record on the clipboard."""
        layer = self._layer()
        if layer is None:
            self._refuse("there is no heatmap layer yet: run first")
            return
        try:
            text = make(layer.metadata[METADATA_KEY])
        except ClipHeatmapError as error:
            self._refuse(str(error))
            return
        QApplication.clipboard().setText(text)
        self._say(f"{what} of '{layer.name}' is on the clipboard")

    def save(self, path: str | Path) -> None:
        """Write the encoding of the plane that was asked first."""
        last = self._last()
        if last is None:
            self._refuse("there is no encoding yet: run first")
            return
        encoding = last.answer.encodings[last.answer.planes[0]]

        def write() -> str:
            encoding.save(path, overwrite=True)
            return f"Saved to {path}"

        self._say("Saving")
        self._saving.submit(lambda: write)

    def open(self, path: str | Path) -> None:
        """Show the prompts' maps from an encoding, on the chosen image; no image tower is asked."""
        try:
            question = read_request(self._parts, self._viewer)
        except ClipHeatmapError as error:
            self._refuse(str(error))
            return
        image = self._parts["image"].value
        self._say("Opening")
        work = partial(_opened, image, question, shown_index(image, self._viewer.dims.point), path)
        self._opening.submit(lambda: work)

    def clear(self) -> None:
        """Remove all encodings from the disk."""
        try:
            freed = self._cache.clear()
        except (ClipHeatmapError, OSError) as error:
            self._refuse(str(error))
            return
        self._say(f"Removed {freed / MEGABYTE:.0f} MB of encodings from the disk")

    def _fill(self) -> None:
        copy, menu = self.copy, self.menu
        menu.addAction("Copy as Python", partial(copy, python_script, "A script"))
        menu.addAction("Copy methods text", partial(copy, methods_text, "A paragraph on methods"))
        menu.addSeparator()
        menu.addAction("Save the encoding\N{HORIZONTAL ELLIPSIS}", self._ask_save)
        menu.addAction("Open an encoding\N{HORIZONTAL ELLIPSIS}", self._ask_open)
        menu.addSeparator()
        self._clearing = menu.addAction("Clear the cache", self.clear)

    def _measure(self) -> None:
        size = self._cache.size / MEGABYTE
        self._clearing.setText(f"Clear the cache ({size:.0f} MB)")

    def _ask_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self.menu, "Save the encoding", "encoding.zarr.zip", FILES
        )
        if path:
            self.save(path)

    def _ask_open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self.menu, "Open an encoding", "", FILES)
        if path:
            self.open(path)

    def _layer(self) -> Image | None:
        """Return the heatmap layer that is meant: the selected, else one that is seen."""
        ours = own_heatmaps(self._viewer)
        active = self._viewer.layers.selection.active
        seen = [layer for layer in ours if layer is active] + [
            layer for layer in reversed(ours) if layer.visible
        ]
        return next(iter([*seen, *ours]), None)

    def _refuse(self, reason: str) -> None:
        self._say(f"Not done: {reason}")
        show_error(reason)


def _opened(
    image: Image, question: HeatmapRequest, index: tuple[int, ...], path: str | Path
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
    scored = PromptScorer(question, encoding.text)
    scored.paint(index, encoding)
    reason = "" if encoding.complete else "the encoding was saved before all tiles were done"
    return LayerResult(image, question, scored.answer(reason))
