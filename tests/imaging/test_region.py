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


def lattice_of(shape, factor=1):
    working = tuple(max(1, round(length / factor)) for length in shape)
    return plan_lattice(shape, working, patch=(4, 4), tile=(32, 32), overlap=0.5)


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
        lambda: Region(box=(0, 0, 1e300, 10)),
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
