from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.lattice import plan_lattice
from napari_clip_heatmap.imaging.region import LabeledRegion, Outlines, Region

CENTRES = np.arange(40) + 0.5
coordinate = st.floats(-10, 50).map(lambda value: round(value, 3))


def lattice_of(shape, factor=1):
    working = tuple(max(1, round(length / factor)) for length in shape)
    return plan_lattice(shape, working, patch=(4, 4), tile=(32, 32), overlap=0.5)


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


@settings(max_examples=40)
@given(st.data())
def test_every_pixel_inside_lies_in_a_touched_cell_and_all_its_tiles_are_done(data):
    shape = data.draw(st.integers(1, 150)), data.draw(st.integers(1, 150))
    lattice = lattice_of(shape, data.draw(st.floats(1, 4)))
    labels = np.random.default_rng(data.draw(st.integers(0, 99))).random(shape) < 0.003
    labels.flat[data.draw(st.integers(0, labels.size - 1))] = True
    region = Region(mask=LabeledRegion(labels))
    touched = region.cells(lattice)
    own = [
        np.searchsorted(axis.cell_edges(), np.arange(axis.image) + 0.5, "right") - 1
        for axis in (lattice.y, lattice.x)
    ]
    y, x = np.nonzero(labels)
    assert touched[own[0][y], own[1][x]].all()
    for row, column in np.argwhere(touched):  # and no cell is touched that holds none of them
        (top, bottom), (left, right) = (
            axis.cell_edges()[cell : cell + 2]
            for axis, cell in ((lattice.y, row), (lattice.x, column))
        )
        assert ((y < bottom) & (y + 1 > top) & (x < right) & (x + 1 > left)).any()
    tiles = set(region.tiles(lattice))
    for row, column in lattice.tiles:
        cells = touched[lattice.y.cells(row)[0], lattice.x.cells(column)[0]]
        assert ((row, column) in tiles) == cells.any()


def test_a_thin_line_is_not_lost_between_points():
    line = np.array([[3.0, 1.0], [3.1, 1.0], [197.1, 181.0], [197.0, 181.0]])
    touched = Region(mask=Outlines([line])).cells(lattice_of((200, 200)))
    for share in np.linspace(0, 1, 500):
        y, x = line[1] + share * (line[2] - line[1])
        assert touched[int(y // 4), int(x // 4)]
    assert touched.sum() < 160


def test_a_box_touches_the_cells_it_overlaps():
    region = Region(box=(8.0, 3.9, 12.0, 9.0))
    touched = region.cells(lattice_of((64, 64)))
    np.testing.assert_array_equal(np.argwhere(touched), [[2, 0], [2, 1], [2, 2]])
    assert region.bounds(lattice_of((64, 64))) == (slice(2, 3), slice(0, 3))
    inside = region.inside(np.arange(64) + 0.5, np.arange(64) + 0.5)
    np.testing.assert_array_equal(
        np.argwhere(inside), [(y, x) for y in range(8, 12) for x in range(4, 9)]
    )


def test_the_whole_leaves_nothing_out():
    lattice = lattice_of((100, 50))
    assert Region().inside(CENTRES, CENTRES) is None
    assert Region().tiles(lattice) == lattice.tiles
    assert Region(box=(-9, -9, 999, 999)).inside(CENTRES, CENTRES) is None


@pytest.mark.parametrize(
    ("region", "reason"),
    [
        (Region(box=(500, 500, 600, 600)), "outside the image"),
        (Region(mask=Outlines([[(500, 500), (500, 600), (600, 600)]])), "outside the image"),
        (Region(mask=LabeledRegion(np.zeros((64, 64), int))), "no label marks a pixel"),
    ],
)
def test_a_region_elsewhere_is_refused_for_its_true_reason(region, reason):
    with pytest.raises(ImageError, match=reason):
        region.tiles(lattice_of((64, 64)))


@pytest.mark.parametrize("polygons", [[], [np.zeros((2, 2))], [np.zeros((3, 3))]])
def test_what_is_no_outline_is_refused(polygons):
    with pytest.raises(ImageError, match="accepted"):
        Outlines(polygons)


@pytest.mark.parametrize(
    "region",
    [
        Region(box=(10.6, 10.6, 11.4, 11.4)),
        Region(mask=Outlines([[(10.6, 10.6), (10.6, 11.2), (11.2, 11.2)]])),
        Region(mask=Outlines([[(10.6, 0), (10.6, 60), (11.4, 60), (11.4, 0)]])),
    ],
)
def test_a_region_without_a_pixel_center_says_that_it_is_too_small(region):
    lattice = plan_lattice((64, 64), (64, 64), patch=(8, 8), tile=(32, 32), overlap=0)
    assert region.cells(lattice).any()
    with pytest.raises(ImageError, match="smaller than a pixel"):
        region.require_pixels(lattice)
    Region(box=(10.4, 10.4, 10.6, 10.6)).require_pixels(lattice)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Region(box=(0, 0, 10)),
        lambda: Region(box=(10, 0, 5, 10)),
        lambda: Region(box=(0, 0, np.nan, 10)),
        lambda: Region(box="0123"),
        lambda: Region(mask=np.ones((4, 4), bool)),
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
    ],
)
def test_regions_of_the_wrong_kind_are_refused_in_words(make):
    with pytest.raises(ImageError, match="accepted"):
        make()


def test_regions_have_short_reprs():
    assert repr(Region()) == "Region()"
    triangle = Outlines([[(0, 0), (0, 9), (9, 9)]])
    assert repr(Region((0, 0, 5, 5), triangle)) == (
        "Region(box=(0.0, 0.0, 5.0, 5.0), mask=Outlines(1 polygon, 3 corners))"
    )
