from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels, Shapes

from napari_clip_heatmap._napari.inputs.layer_regions import (
    polygons,
    region_inside,
    region_of_rectangle,
    to_image,
    viewport,
)
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


def seen_through(image, height, width, centre, zoom=2):
    """Return a viewer whose window is so large and shows an image around a point of the world."""
    viewer = ViewerModel()
    viewer.add_layer(image)
    size = (height * zoom, width * zoom)
    if hasattr(viewer, "canvas"):
        viewer.canvas.size, camera = size, viewer.scene.camera
    else:  # napari 0.8
        viewer._canvas_size, camera = size, viewer.camera
    camera.zoom = zoom
    camera.center = centre
    return viewer


@pytest.mark.parametrize(
    ("centre", "rectangle"),
    [
        ((24.5, 29.5), (20, 30, 20, 40)),
        ((-0.5, -0.5), (0, 5, 0, 10)),
        ((-90, 900), (0, 1, 59, 60)),
        ((49.5, 59.5), (45, 50, 50, 60)),
    ],
)
@pytest.mark.parametrize("make", [image, lambda: pyramid((50, 60)), lambda: image((4, 50, 60))])
def test_the_viewport_is_what_the_window_shows_of_the_image(make, centre, rectangle):
    here = make()
    assert viewport(here, seen_through(here, 10, 20, centre)) == rectangle


def pyramid(shape):
    levels = [np.zeros(shape), np.zeros((shape[0] // 2, shape[1] // 2))]
    return Image(levels, multiscale=True, contrast_limits=(0, 1))


def test_the_viewport_of_an_image_that_is_scaled_and_turned():
    here = image(scale=(0.5, 0.5), translate=(100, 0))
    assert viewport(here, seen_through(here, 5, 10, (112.25, 14.75))) == (20, 30, 20, 40)
    turned = image((50, 50), rotate=90)
    middle = turned.data_to_world((24.5, 24.5))
    y0, y1, x0, x1 = viewport(turned, seen_through(turned, 10, 20, middle))
    assert (y1 - y0, x1 - x0) == (20, 10)


@pytest.mark.parametrize("settings", [{"ndisplay": 3}, {"order": (1, 0, 2)}])
def test_a_view_of_other_axes_is_refused(settings):
    here = image((4, 50, 60))
    viewer = seen_through(here, 10, 20, (25, 30))
    viewer.dims.update(settings)
    with pytest.raises(ImageError, match="other axes"):
        viewport(here, viewer)


PIXELS = np.arange(50) + 0.5, np.arange(60) + 0.5
LABEL_BOX = np.array([[9.5, 19.5], [9.5, 39.5], [29.5, 39.5], [29.5, 19.5]])


@pytest.fixture
def box():
    inside = np.zeros((50, 60), bool)
    inside[10:30, 20:40] = True
    return inside


def test_a_rectangle(box):
    np.testing.assert_array_equal(region_of_rectangle((10, 30, 20, 40)).inside(*PIXELS), box)


def test_inside_shapes(box):
    region = region_inside(Shapes([LABEL_BOX], shape_type="rectangle"), Image(box), (0, 0))
    np.testing.assert_array_equal(region.inside(*PIXELS), box)


def test_inside_labels(box):
    region = region_inside(Labels(box * 7), Image(box), (0, 0))
    np.testing.assert_array_equal(region.inside(*PIXELS), box)


def test_labels_at_another_resolution_and_place(box):
    coarse = box[::2, ::2].astype(int)[5:]
    image = Image(box, scale=(0.5, 0.5))
    labels = Labels(coarse, scale=(1, 1), translate=(5.25, 0.25))
    np.testing.assert_array_equal(region_inside(labels, image, (0, 0)).inside(*PIXELS), box)


def test_of_labels_in_a_stack_the_slice_shown(box):
    labels = Labels(np.stack([np.zeros_like(box), box]).astype(int))
    image = Image(np.zeros((3, 50, 60)), contrast_limits=(0, 1))
    region = region_inside(labels, image, (1, 0, 0))
    np.testing.assert_array_equal(region.inside(*PIXELS), box)
