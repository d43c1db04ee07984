"""Regions of an image, in its own pixels: the part in view, shapes and labels.

napari's data coordinates put pixel centres at whole numbers; here, as everywhere else in this
package, pixel ``i`` is the interval ``[i, i + 1)``, so half a pixel is added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels, Shapes

from napari_clip_heatmap._napari.inputs.layer_planes import finest, shown_index
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.channel import Plane
from napari_clip_heatmap.imaging.region import Region

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import ViewerModel
    from napari.layers import Image, Layer
    from numpy.typing import NDArray

__all__ = [
    "Rectangle",
    "camera_of",
    "image_shape",
    "polygons",
    "region_inside",
    "region_of_rectangle",
    "to_image",
    "viewport",
]


Rectangle = tuple[int, int, int, int]
"""First and beyond-last row, first and beyond-last column: (y, y, x, x)."""

ELLIPSE_CORNERS = 64
"""Corners of the polygon for an ellipse, which differs from it by 0.1 % of its size."""

WITH_AREA = {"rectangle", "polygon", "ellipse"}


def viewport(image: Image, viewer: ViewerModel) -> Rectangle:
    """Return the smallest rectangle of image pixels that contains all that is in view.

    It is computed from the camera: the ``corner_pixels`` of a pyramid are those of its chunks.

    Raises
    ------
    ImageError
        The view shows other axes than the image's last two, or is in 3D.
    """
    dims = viewer.dims
    if dims.ndisplay != 2 or dims.displayed != (dims.ndim - 2, dims.ndim - 1):
        raise ImageError(
            "the region is the part in view, but the view shows other axes than the image's last "
            "two: switch to 2D with the axes in their order, or choose the whole image"
        )
    camera = camera_of(viewer)
    half = np.asarray(_window(viewer), dtype=float) / camera.zoom / 2
    corners = np.asarray(camera.center[-2:]) + half * [[-1, -1], [-1, 1], [1, -1], [1, 1]]
    point = np.tile(np.asarray(dims.point, dtype=float)[-image.ndim :], (4, 1))
    point[:, -2:] = corners
    seen = np.array([image.world_to_data(each)[-2:] for each in point]) + 0.5
    seen = np.round(seen, 6)  # a pixel that is touched only by rounding is not in view
    height, width = image_shape(image)
    y0, x0 = np.floor(np.clip(seen.min(axis=0), 0, (height - 1, width - 1))).astype(int)
    y1, x1 = np.ceil(np.clip(seen.max(axis=0), (y0 + 1, x0 + 1), (height, width))).astype(int)
    return int(y0), int(y1), int(x0), int(x1)


def camera_of(viewer: ViewerModel) -> Any:
    """Return the viewer's camera, which napari 0.9 moved."""
    return getattr(viewer, "scene", viewer).camera


def _window(viewer: ViewerModel) -> tuple[float, float]:
    """Return height and width of the canvas, in screen pixels."""
    canvas = getattr(viewer, "canvas", None)
    if canvas is None:  # napari 0.8
        height, width = viewer._canvas_size
        return float(height), float(width)
    height, width = canvas.viewbox_size(viewer.layers)
    return float(height), float(width)


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
    """Convert points from a layer's data coordinates (point, axis) to image pixels (point, 2).

    Axes are matched from the last; further axes of the image do not matter.
    """
    placed = []
    for point in points:
        world = np.zeros(max(layer.ndim, image.ndim))
        world[len(world) - layer.ndim :] = layer.data_to_world(point)
        placed.append(image.world_to_data(world[len(world) - image.ndim :])[-2:])
    return np.asarray(placed, dtype=float) + 0.5


def image_shape(image: Image) -> tuple[int, int]:
    """Return height and width of an image layer's planes at full resolution."""
    shape = finest(image).shape
    return int(shape[image.ndim - 2]), int(shape[image.ndim - 1])


def _corners(vertices: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    if kind != "ellipse":
        return vertices
    # napari stores an ellipse as the corners of its bounding box.
    centre = vertices.mean(axis=0)
    angles = np.linspace(0, 2 * np.pi, ELLIPSE_CORNERS, endpoint=False)[:, np.newaxis]
    first, second = (vertices[1] - vertices[0]) / 2, (vertices[3] - vertices[0]) / 2
    around: NDArray[np.float64] = centre + np.cos(angles) * first + np.sin(angles) * second
    return around


def region_of_rectangle(rectangle: Rectangle) -> Region:
    """Return a rectangle of image pixels as a region."""
    y0, y1, x0, x1 = rectangle
    return Region(box=(y0, x0, y1, x1))


def region_inside(
    layer: Shapes | Labels, image: Image, point: Sequence[float], label: int | None = None
) -> Region:
    """Return the region inside a layer's shapes, or where its labels are not 0.

    Of a stack of labels, the slice in view is used, for all slices of the image.

    Parameters
    ----------
    layer : Shapes or Labels
    image : Image
    point : sequence of float
        Where the viewer's sliders stand, in world units.
    label : int, optional
        Of labels, this one alone.

    Raises
    ------
    ImageError
        The layer has no shape with an inside, or lies elsewhere.
    """
    from napari_clip_heatmap.imaging.masks import LabeledRegion, Outlines

    if isinstance(layer, Shapes):
        return Region(mask=Outlines(polygons(layer, image)))
    index = shown_index(layer, point)
    plane: Any = Plane(finest(layer), index)
    if label is not None:
        plane = np.asarray(finest(layer)[index]) == label
    return Region(mask=LabeledRegion(plane, _to_labels(layer, image, index)))


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
        raise ImageError(f"the layer '{layer.name}' is perpendicular to the image; choose another")
    matrix: NDArray[np.float64] = np.linalg.inv(back).astype(np.float64)
    return matrix
