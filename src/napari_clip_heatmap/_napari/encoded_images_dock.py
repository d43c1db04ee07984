"""The dock in which a folder of encoded images is looked through."""

from __future__ import annotations

import napari

from napari_clip_heatmap._napari.controllers.collection.encoded_browser import (
    EncodedImagesController,
)
from napari_clip_heatmap._napari.views.collection.encoded_images_view import EncodedImagesView

__all__ = ["EncodedImagesDock"]


class EncodedImagesDock(EncodedImagesView):
    """Encoded images with their pictures, sorted by words, opened by a click.

    Parameters
    ----------
    viewer : napari.viewer.Viewer, optional
        Images are opened in it; napari passes its own.
    """

    def __init__(
        self,
        # napari passes its own viewer only where the annotation is exactly this one.
        viewer: napari.viewer.Viewer = None,
    ) -> None:
        super().__init__()
        found = getattr(viewer, "__wrapped__", viewer) or napari.current_viewer()
        if found is None:
            raise RuntimeError("there is no napari viewer; make one first, or pass it")
        self.controller = EncodedImagesController(found, self)
        self.destroyed.connect(self.controller.close)
