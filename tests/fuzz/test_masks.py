"""Regions of any kind on images of any shape."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from napari_clip_heatmap.imaging.lattice import plan
from napari_clip_heatmap.imaging.masks import LabeledRegion, Outlines
from napari_clip_heatmap.imaging.region import Region

position = (
    st.floats(-30, 90) | st.floats() | st.integers(-5, 70) | st.sampled_from([1e9, -1e8, 1e5])
)
near = st.floats(-30, 90)
spans = st.integers(0, 4).flatmap(
    lambda roll: st.tuples(near, near).map(sorted) if roll else st.tuples(position, position)
)
boxes = st.tuples(spans, spans).map(lambda two: (two[0][0], two[1][0], two[0][1], two[1][1]))
outlines = st.lists(
    st.lists(st.tuples(near, near), min_size=3, max_size=6)
    | st.lists(st.tuples(position, position), min_size=3, max_size=6),
    min_size=1,
    max_size=3,
)
entry = st.floats(-3, 3) | st.sampled_from([0.0, 1.0, 1e-9, 1e9, 1e300])
matrices = st.lists(entry, min_size=6, max_size=6).map(
    lambda six: np.array([six[:3], six[3:], [0, 0, 1]])
)
labels = npst.arrays(
    st.sampled_from(["i4", "u1", "?", "f4"]).map(np.dtype),
    npst.array_shapes(min_dims=2, max_dims=2),
)
shapes = st.tuples(st.integers(1, 80), st.integers(1, 80))
factors = st.sampled_from([0.5, 1, 1.7, 4, "auto"])


def place(box, mask, shape, factor):
    region = Region(box, mask)
    lattice, _ = plan(shape, tile=(32, 32), patch=(8, 8), downsample=factor, overlap=0.5)
    region.require_pixels(lattice)
    inside = region.inside(np.arange(shape[0]) + 0.5, np.arange(shape[1]) + 0.5)
    cells = region.cells(lattice)
    if inside is not None:  # every pixel inside lies in a cell that is touched
        y, x = (
            np.searchsorted(axis.cell_edges(), np.arange(axis.image) + 0.5, "right") - 1
            for axis in (lattice.y, lattice.x)
        )
        assert inside.any()
        assert cells[y[:, np.newaxis], x][inside].all()
    assert region.tiles(lattice)
    assert region.describe()


def test_boxes(fuzz):
    fuzz(st.tuples(boxes, st.none(), shapes, factors), lambda given: place(*given))


def test_outlines(fuzz):
    def draw(given):
        box, corners, shape, factor = given
        place(box, Outlines(corners), shape, factor)

    fuzz(st.tuples(st.none() | boxes, outlines, shapes, factors), draw)


def test_labels(fuzz):
    def draw(given):
        stored, matrix, shape, factor = given
        place(None, LabeledRegion(stored, matrix), shape, factor)

    fuzz(st.tuples(labels, st.none() | matrices, shapes, factors), draw)
