from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.lattice import plan_lattice
from napari_clip_heatmap.imaging.masks import LabeledRegion, Outlines
from napari_clip_heatmap.imaging.region import Region

CENTRES = np.arange(40) + 0.5
coordinate = st.floats(-10, 50).map(lambda value: round(value, 3))
LATTICE = plan_lattice((200, 200), (200, 200), patch=(4, 4), tile=(32, 32), overlap=0.5)


def crossed_oddly(polygon, y, x):
    """One point at a time, as a textbook does it."""
    odd = False
    for (ay, ax), (by, bx) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if (ay < y) != (by < y) and x > ax + (y - ay) / (by - ay) * (bx - ax):
            odd = not odd
    return odd


@settings(max_examples=40)
@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=7))
def test_outlines_hold_the_points_that_they_surround(corners):
    # Moved a little, as on the very line either answer is right.
    polygon = np.array(corners) * [1.00037, 0.99971] + [0.0123, -0.0077]
    seen = Outlines([polygon]).inside(CENTRES, CENTRES)
    expected = [[crossed_oddly(polygon, y, x) for x in CENTRES] for y in CENTRES]
    np.testing.assert_array_equal(seen, expected)


def test_inside_any_outline_is_inside():
    squares = [np.array([[0, 0], [0, 20], [20, 20], [20, 0]]) + shift for shift in (0, 10)]
    seen = Outlines(squares).inside(CENTRES, CENTRES)
    expected = np.zeros((40, 40), bool)
    expected[:20, :20] = expected[10:30, 10:30] = True
    np.testing.assert_array_equal(seen, expected)


def test_labels_are_looked_up_wherever_they_lie():
    labels = np.zeros((8, 8), np.int32)
    labels[2, 3] = 5
    matrix = np.array([[0.1, 0, 1.0], [0, 0.2, 0], [0, 0, 1]])  # image pixel to label pixel
    seen = LabeledRegion(labels, matrix).inside(CENTRES, CENTRES)
    expected = np.zeros((40, 40), bool)
    expected[10:20, 15:20] = True
    np.testing.assert_array_equal(seen, expected)
    assert not LabeledRegion(labels).inside(CENTRES + 100, CENTRES).any()


@pytest.mark.parametrize("shear", [0.0, 0.3])
def test_labels_are_those_under_each_point(shear):
    labels = np.random.default_rng(4).integers(0, 2, (9, 7)).astype(np.uint8)
    matrix = np.array([[0.21, shear, 0.4], [0.0, 0.17, -1.3], [0, 0, 1]])
    seen = LabeledRegion(labels, matrix).inside(CENTRES, CENTRES[:30])
    for row, y in enumerate(CENTRES):
        for column, x in enumerate(CENTRES[:30]):
            at = np.floor(matrix[:2] @ (y, x, 1)).astype(int)
            within = (at >= 0).all() and (at < labels.shape).all()
            assert seen[row, column] == (within and labels[tuple(at)] > 0)


@pytest.mark.parametrize("scale", [(0.05, 0.21), (-0.3, 1.7)])
def test_aligned_labels_touch_the_cells_that_they_overlap(scale):
    labels = np.random.default_rng(5).random((40, 50)) > 0.93
    matrix = np.array([[scale[0], 0, 3.3], [0, scale[1], -1.3], [0, 0, 1]])
    region = LabeledRegion(labels, matrix)
    edges = LATTICE.y.cell_edges(), LATTICE.x.cell_edges()
    seen = region.touched(*edges)
    spans = []
    for axis, cells in enumerate(edges):
        ends = np.sort(np.stack([cells[:-1], cells[1:]]) * scale[axis] + matrix[axis, 2], axis=0)
        pixels = np.arange(labels.shape[axis])
        low, high = np.maximum.outer(ends[0], pixels), np.minimum.outer(ends[1], pixels + 1)
        spans.append(high - low > 2e-3)
    expected = (spans[0].astype(int) @ labels.astype(int) @ spans[1].T.astype(int)) > 0
    np.testing.assert_array_equal(seen, expected)
    matrix[0, 1] = 1e-12  # no longer aligned, by nothing: cells are found by traces, and their rims
    traced = Region(mask=LabeledRegion(labels, matrix)).cells(LATTICE)
    assert traced[seen].all()


def test_a_label_as_long_as_a_billion_pixels_is_not_lost():
    matrix = np.array([[1.75, -1.5, 0], [1e-9, 1e-9, 0], [0, 0, 1]])
    region = Region(mask=LabeledRegion(np.ones((1, 1), np.int32), matrix))
    cells = region.cells(LATTICE)
    y, x = (
        np.searchsorted(axis.cell_edges(), np.arange(200) + 0.5, "right") - 1
        for axis in (LATTICE.y, LATTICE.x)
    )
    inside = region.inside(np.arange(200) + 0.5, np.arange(200) + 0.5)
    assert inside.any()
    assert cells[y[:, np.newaxis], x][inside].all()


def test_a_thin_line_is_not_lost_between_points():
    line = np.array([[3.0, 1.0], [3.1, 1.0], [197.1, 181.0], [197.0, 181.0]])
    touched = Region(mask=Outlines([line])).cells(LATTICE)
    for share in np.linspace(0, 1, 500):
        y, x = line[1] + share * (line[2] - line[1])
        assert touched[int(y // 4), int(x // 4)]
    assert touched.sum() < 160


@pytest.mark.parametrize("far", [1e4, 1e6, 9e8])
def test_an_outline_far_beyond_the_image_costs_no_more_than_its_part_on_it(far):
    triangle = np.array([[-far, -far], [far, far], [-far, far]])
    points = np.concatenate(list(Outlines([triangle]).traces(1.0, (200, 200))))
    assert len(points) < 3000
    touched = Region(mask=Outlines([triangle])).cells(LATTICE)
    np.testing.assert_array_equal(touched, np.triu(np.ones((50, 50), bool)) | touched)
    assert not touched[2:, 0].any()


@pytest.mark.parametrize("polygons", [[], [np.zeros((2, 2))], [np.zeros((3, 3))]])
def test_what_is_no_outline_is_refused(polygons):
    with pytest.raises(ImageError, match="accepted"):
        Outlines(polygons)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Outlines([]),
        lambda: Outlines("abc"),
        lambda: Outlines(3),
        lambda: Outlines([[(0, 0), (1, 1)]]),
        lambda: Outlines([[(0, 0), (1, 1), (np.inf, 0)]]),
        lambda: Outlines([[(0, 0), (1, 1), (2,)]]),
        lambda: LabeledRegion(np.zeros((2, 2, 2), int)),
        lambda: LabeledRegion([[1, 0]]),
        lambda: LabeledRegion(np.ones((4, 4), int), np.zeros((3, 3))),
        lambda: LabeledRegion(np.ones((4, 4), int), np.eye(2)),
        lambda: Outlines([[(0, 0), (1, 1), (1e300, 0)]]),
        lambda: LabeledRegion(np.ones((4, 4), int), np.diag([1e300, 1, 1])),
        lambda: LabeledRegion(np.ones((4, 4), int), np.diag([1, 1e-300, 1])),
        lambda: LabeledRegion(np.ones((4, 4), int), np.diag([1, 1, 0])),
        lambda: LabeledRegion(np.ones((4, 4), int), np.array([[1, 2, 0], [2, 4, 0], [0, 0, 1]])),
    ],
)
def test_masks_of_the_wrong_kind_are_refused_in_words(make):
    with pytest.raises(ImageError, match="accepted"):
        make()
