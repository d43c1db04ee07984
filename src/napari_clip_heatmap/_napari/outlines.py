"""Outlines on an image, in its own pixels: what the view shows, and shapes drawn by the user.

napari's data coordinates put pixel centres at whole numbers; here, as everywhere else in this
package, pixel ``i`` is the interval ``[i, i + 1)``, so half a pixel is added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_clip_heatmap.errors import ImageError

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Image, Layer, Shapes
    from numpy.typing import NDArray

__all__ = ["Rectangle", "image_shape", "polygons", "to_image", "viewport"]

Rectangle = tuple[int, int, int, int]
"""First and beyond-last row, first and beyond-last column: (y, y, x, x)."""

ELLIPSE_CORNERS = 64
"""An ellipse becomes a polygon that differs from it by a thousandth of its size."""

WITH_AREA = {"rectangle", "polygon", "ellipse"}


def viewport(image: Image, dims: Dims) -> Rectangle:
    """Return the smallest rectangle of image pixels that holds all the window shows of an image.

    Parameters
    ----------
    image : Image
    dims : napari.components.Dims
        The viewer's.

    Raises
    ------
    ImageError
        The window shows the image's axes in another order, or in 3D.
    """
    if dims.ndisplay != 2 or dims.displayed != (dims.ndim - 2, dims.ndim - 1):
        raise ImageError(
            "what the view shows is asked, but it shows other axes than the image's last two: "
            "switch to 2D with the axes in their order, or choose the whole image"
        )
    corners = np.asarray(image.corner_pixels, dtype=float)[:, -2:] + [[0], [1]]
    height, width = image_shape(image)
    if image.multiscale:  # counted at the level that is shown
        corners *= np.asarray(image.downsample_factors)[image.data_level][-2:]
    y0, x0 = np.floor(np.clip(corners[0], 0, (height - 1, width - 1))).astype(int)
    y1, x1 = np.ceil(np.clip(corners[1], (y0 + 1, x0 + 1), (height, width))).astype(int)
    return int(y0), int(y1), int(x0), int(x1)


def polygons(shapes: Shapes, image: Image) -> tuple[NDArray[np.float64], ...]:
    """Return the shapes that have an area, each (corner, 2) as (y, x) in image pixels.

    Raises
    ------
    ImageError
        There is none; lines and paths have no inside.
    """
    found = [
        to_image(shapes, _corners(np.asarray(vertices, dtype=float), kind), image)
        for vertices, kind in zip(shapes.data, shapes.shape_type, strict=True)
        if kind in WITH_AREA
    ]
    if not found:
        raise ImageError(
            f"the layer '{shapes.name}' has no shape with an inside; draw a rectangle, an ellipse "
            "or a polygon"
        )
    return tuple(found)


def to_image(layer: Layer, points: NDArray[np.float64], image: Image) -> NDArray[np.float64]:
    """Bring points from a layer's data coordinates (point, axis) to image pixels (point, 2).

    Axes are matched from the last; where the image has more, the others count for nothing.
    """
    placed = []
    for point in points:
        world = np.zeros(max(layer.ndim, image.ndim))
        world[len(world) - layer.ndim :] = layer.data_to_world(point)
        placed.append(image.world_to_data(world[len(world) - image.ndim :])[-2:])
    return np.asarray(placed, dtype=float) + 0.5


def image_shape(image: Image) -> tuple[int, int]:
    """Return height and width of an image layer's planes, at full resolution."""
    shape: Any = image.data[0].shape if image.multiscale else image.data.shape
    return int(shape[image.ndim - 2]), int(shape[image.ndim - 1])


def _corners(vertices: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    if kind != "ellipse":
        return vertices
    # napari keeps an ellipse as the corners of its box.
    centre = vertices.mean(axis=0)
    angles = np.linspace(0, 2 * np.pi, ELLIPSE_CORNERS, endpoint=False)[:, np.newaxis]
    first, second = (vertices[1] - vertices[0]) / 2, (vertices[3] - vertices[0]) / 2
    around: NDArray[np.float64] = centre + np.cos(angles) * first + np.sin(angles) * second
    return around
