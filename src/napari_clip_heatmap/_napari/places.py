"""Regions of an image from what the user has drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels, Shapes

from napari_clip_heatmap._napari.inputs.layer_regions import Rectangle, polygons, to_image
from napari_clip_heatmap._napari.slices import index_shown
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.masks import Labelled, Outlines
from napari_clip_heatmap.imaging.plane import Plane
from napari_clip_heatmap.imaging.region import Region

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image
    from numpy.typing import NDArray

__all__ = ["region_inside", "region_of_rectangle"]


def region_of_rectangle(rectangle: Rectangle) -> Region:
    """Return a rectangle of image pixels as a region."""
    y0, y1, x0, x1 = rectangle
    return Region(box=(y0, x0, y1, x1))


def region_inside(layer: Shapes | Labels, image: Image, point: Sequence[float]) -> Region:
    """Return the inside of a layer's shapes, or where its labels are not 0.

    Of a stack of labels, the slice that the viewer shows counts, for all slices of the image.

    Parameters
    ----------
    layer : Shapes or Labels
    image : Image
    point : sequence of float
        Where the viewer's sliders stand, in world units.

    Raises
    ------
    ImageError
        Nothing is drawn, or it lies elsewhere.
    """
    if isinstance(layer, Shapes):
        return Region(mask=Outlines(polygons(layer, image)))
    index = index_shown(layer, point)
    data = layer.data[0] if layer.multiscale else layer.data
    return Region(mask=Labelled(Plane(data, index), _to_labels(layer, image, index)))


def _to_labels(layer: Labels, image: Image, index: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the matrix (3, 3) from image pixels (y, x, 1) to label pixels."""
    # Three corners of label pixels: (0, 0), (1, 0) and (0, 1), in data coordinates.
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5]])
    origin, down, right = to_image(
        layer, np.hstack([np.tile(np.asarray(index, float), (3, 1)), corners]), image
    )
    back = np.eye(3)
    back[:2] = np.stack([down - origin, right - origin, origin], axis=1)
    if abs(np.linalg.det(back)) < 1e-12:
        raise ImageError(f"the layer '{layer.name}' stands upright on the image; choose another")
    matrix: NDArray[np.float64] = np.linalg.inv(back).astype(np.float64)
    return matrix
