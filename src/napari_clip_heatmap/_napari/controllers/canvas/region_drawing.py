"""A layer to draw the region of interest in, whose inside never dyes the maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Shapes

from napari_clip_heatmap._napari.inputs.layer_regions import image_shape

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["add_region_layer", "clear_fill"]

CLEAR = "transparent"
EDGE = "yellow"

EDGE_PART = 200
"""The outline is as wide as this part of the image's longer side."""


def add_region_layer(viewer: ViewerModel, image: Image) -> Shapes:
    """Add a shapes layer on an image, ready for a rectangle to be drawn in it.

    Parameters
    ----------
    viewer : ViewerModel
    image : Image
        The layer that the region is of.

    Returns
    -------
    Shapes
        Empty, and napari's active layer.
    """
    layer = Shapes(
        ndim=2,
        name=f"region of {image.name}",
        face_color=CLEAR,
        edge_color=EDGE,
        edge_width=max(1.0, max(image_shape(image)) / EDGE_PART),
        scale=image.scale[-2:],
        translate=image.translate[-2:],
        units=image.units[-2:],
    )
    viewer.add_layer(layer)
    viewer.layers.selection.active = layer
    layer.current_face_color = CLEAR
    layer.current_edge_color = EDGE
    layer.mode = "add_rectangle"
    return layer


def clear_fill(layer: Shapes) -> None:
    """Make the inside of all shapes clear, also of those drawn later; outlines stay."""
    layer.current_face_color = CLEAR
    if len(layer.data):
        layer.face_color = CLEAR
