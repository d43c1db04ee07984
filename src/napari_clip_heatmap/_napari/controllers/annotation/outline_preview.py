"""The outline of a threshold, drawn on the image while the threshold is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Vectors
from qtpy.QtCore import QTimer

from napari_clip_heatmap._napari.inputs.layer_planes import placement
from napari_clip_heatmap._napari.inputs.layer_regions import camera_of
from napari_clip_heatmap.annotation.contours import contour_segments, map_contours

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_clip_heatmap._napari.annotation_state import ObjectSettings
    from napari_clip_heatmap.imaging.lattice import Lattice

__all__ = ["OUTLINE_NAME", "OutlinePreview", "OutlineVectors"]

OUTLINE_NAME = "outline (preview)"

COLOR = "#ff00ff"
"""In no colormap of heatmaps, and clear on dark and on bright images."""

SCREEN_PIXELS = 2.0
"""Width of the line."""


class OutlineVectors(Vectors):  # type: ignore[misc] # napari ships no types
    """Vectors without a thumbnail: napari draws it part by part, which takes longer than all else.

    Both members are private to napari; should it rename them, this is a plain Vectors layer.
    """

    def _update_thumbnail(self) -> None:
        """Leave the thumbnail blank."""

    @property
    def _type_string(self) -> str:
        return "vectors"


class OutlinePreview:
    """Draws contours in a layer of its own, which is there only while they are wanted.

    Parameters
    ----------
    viewer : ViewerModel
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: OutlineVectors | None = None
        self._image: Image | None = None
        self._declined = False
        self._leaving: list[OutlineVectors] = []
        viewer.layers.events.removed.connect(self._on_removed)
        camera_of(viewer).events.zoom.connect(self._on_zoom)

    @property
    def layer(self) -> OutlineVectors | None:
        """The layer, while there is one."""
        return self._layer

    def draw(
        self,
        image: Image,
        index: tuple[int, ...],
        values: NDArray[np.float32],
        lattice: Lattice,
        limit: float,
        settings: ObjectSettings,
    ) -> None:
        """Draw where a map crosses a threshold.

        Parameters
        ----------
        image : Image
            What it is drawn on.
        index : tuple of int
            The plane.
        values : float32 (grid_y, grid_x)
            The map, at patches.
        lattice : Lattice
        limit : float
        settings : ObjectSettings
            Which objects count.
        """
        rings = map_contours(
            values, lattice, limit, min_area=settings.min_area, fill_holes=settings.fill_holes
        )
        self.draw_rings(image, index, rings)

    def draw_rings(
        self, image: Image, index: tuple[int, ...], rings: Sequence[NDArray[np.float64]]
    ) -> None:
        """Draw rings, each (corner, 2) in image pixels, whole numbers at pixel centers."""
        parts = _in_plane(contour_segments(rings), index)
        if self._declined:
            return
        if not len(parts):
            self.clear()  # an empty layer would have no extent for the viewer's sliders
        elif self._layer is None or self._image is not image:
            self.clear()
            self._show(image, parts)
        else:
            self._layer.data = parts

    def allow(self) -> None:
        """Draw again, after a user has removed the outline."""
        self._declined = False

    def clear(self) -> None:
        """Remove the outline."""
        layer, self._layer = self._layer, None
        if layer is None or layer not in self._viewer.layers:
            return
        if layer in self._viewer.layers.selection:
            # napari may be removing what is selected, one layer after another, this one among them.
            self._leaving.append(layer)
            QTimer.singleShot(0, self._remove_leaving)
        else:
            self._viewer.layers.remove(layer)

    def _remove_leaving(self) -> None:
        leaving, self._leaving = self._leaving, []
        for layer in leaving:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def close(self) -> None:
        """Remove the outline, and let go of the viewer."""
        self.clear()
        self._remove_leaving()
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        camera_of(self._viewer).events.zoom.disconnect(self._on_zoom)

    def _show(self, image: Image, parts: NDArray[np.float64]) -> None:
        active = self._viewer.layers.selection.active
        self._image = image
        self._layer = OutlineVectors(
            parts,
            name=OUTLINE_NAME,
            edge_color=COLOR,
            edge_width=self._width(image),
            vector_style="line",
            ndim=image.ndim,
            **placement(image),
        )
        self._viewer.add_layer(self._layer)
        # The layer that the user works on stays the active one.
        self._viewer.layers.selection.active = active

    def _width(self, image: Image) -> float:
        """Return the width of the line in image pixels."""
        pixel = abs(float(image.scale[-1])) or 1.0
        return float(SCREEN_PIXELS / (camera_of(self._viewer).zoom * pixel))

    def _on_zoom(self, _: Any = None) -> None:
        if self._layer is not None and self._image is not None:
            self._layer.edge_width = self._width(self._image)

    def _on_removed(self, event: Any) -> None:
        if event.value is self._layer:
            self._layer = None
            # By the user, or by a viewer that is being closed: neither wants another one.
            self._declined = True


def _in_plane(parts: NDArray[np.float64], index: tuple[int, ...]) -> NDArray[np.float64]:
    """Return line parts, (part, 2, 2), in one plane of a stack: (part, 2, axis)."""
    leading = np.zeros((len(parts), 2, len(index)))
    leading[:, 0] = index
    return np.concatenate([leading, parts], axis=2)
