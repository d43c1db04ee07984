from __future__ import annotations

import numpy as np
import pytest
from napari.components import Dims
from napari.layers import Image, Labels, Shapes

from napari_clip_heatmap._napari.outlines import polygons, to_image, viewport
from napari_clip_heatmap.errors import ImageError

BOX = np.array([[9.5, 19.5], [9.5, 39.5], [29.5, 39.5], [29.5, 19.5]])  # edges of pixels 10..29


def image(shape=(50, 60), **settings):
    return Image(np.zeros(shape), contrast_limits=(0, 1), **settings)


def test_a_rectangle_lies_on_pixel_edges():
    (outline,) = polygons(Shapes([BOX], shape_type="rectangle"), image())
    np.testing.assert_allclose(outline, BOX + 0.5, atol=1e-4)


def test_shapes_are_brought_through_both_transforms():
    here = image(scale=(2, 4), rotate=30, translate=(5, 6))
    corners = np.array([here.data_to_world(corner) for corner in BOX])
    shapes = Shapes([corners / 3 - 1], shape_type="polygon", scale=(3, 3), translate=(3, 3))
    (outline,) = polygons(shapes, here)
    np.testing.assert_allclose(outline, BOX + 0.5, atol=1e-4)


@pytest.mark.parametrize("extra", [1, -1])
def test_axes_are_matched_from_the_last(extra):
    flat, deep = BOX, np.pad(BOX, ((0, 0), (1, 0)), constant_values=2)
    here = image((5, 50, 60) if extra > 0 else (50, 60))
    (outline,) = polygons(Shapes([flat if extra > 0 else deep], shape_type="polygon"), here)
    np.testing.assert_allclose(outline, BOX + 0.5, atol=1e-4)


def test_an_ellipse_is_round():
    (outline,) = polygons(Shapes([BOX], shape_type="ellipse"), image())
    np.testing.assert_allclose(np.hypot(*(outline - (20, 30)).T), 10, atol=1e-6)
    assert len(outline) > 30


def test_lines_have_no_inside():
    lines = Shapes([BOX[:2]], shape_type="line", name="scratch")
    with pytest.raises(ImageError, match="'scratch'"):
        polygons(lines, image())


def test_labels_are_brought_too():
    labels = Labels(np.zeros((25, 30), int), scale=(2, 2), translate=(0.5, 0.5))
    np.testing.assert_allclose(to_image(labels, np.array([[-0.5, -0.5]]), image()), [[0, 0]])


@pytest.mark.parametrize(
    ("corners", "rectangle"),
    [
        (((0, 0), (49, 59)), (0, 50, 0, 60)),
        (((10, 20), (14, 24)), (10, 15, 20, 25)),
        (((-5, -5), (-3, -3)), (0, 1, 0, 1)),
        (((90, 90), (99, 99)), (49, 50, 59, 60)),
    ],
)
def test_the_viewport_is_cut_to_the_image(corners, rectangle):
    here = image()
    here.corner_pixels = np.array(corners)
    assert viewport(here, Dims(ndim=2)) == rectangle


def test_the_viewport_of_a_pyramid_counts_in_its_finest_pixels():
    levels = [np.zeros((64, 80)), np.zeros((16, 20))]
    here = Image(levels, multiscale=True, contrast_limits=(0, 1))
    here.data_level = 1
    here.corner_pixels = np.array([[2, 3], [4, 5]])
    assert viewport(here, Dims(ndim=2)) == (8, 20, 12, 24)


@pytest.mark.parametrize("dims", [Dims(ndim=2, ndisplay=3), Dims(ndim=3, order=(1, 0, 2))])
def test_a_view_of_other_axes_is_refused(dims):
    with pytest.raises(ImageError, match="other axes"):
        viewport(image(), dims)
