"""What is drawn is where its mask says, whatever the class and the scale."""

from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap.scenes.layout import scatter
from napari_clip_heatmap.scenes.structures import SPACING, STRUCTURES, draw_cell_bodies

SIZE = (120, 150)


def structure(name, seed, zoom=1.0):
    rng = np.random.default_rng(seed)
    centers = scatter(rng, SIZE, SPACING[name] * zoom, occupancy=0.7)
    return STRUCTURES[name](rng, SIZE, zoom, centers)


@pytest.mark.parametrize("name", STRUCTURES)
def test_signal_lies_in_the_mask(name):
    for seed in range(4):
        drawn = structure(name, seed)
        assert drawn.signal.shape == drawn.mask.shape == SIZE
        assert drawn.signal.dtype == np.float32
        assert 0 <= drawn.signal.min() <= drawn.signal.max() <= 1
        assert 0 < drawn.mask.mean() < 1
        assert drawn.signal[drawn.mask].mean() > 5 * drawn.signal[~drawn.mask].mean()


@pytest.mark.parametrize("name", STRUCTURES)
def test_objects_grow_with_the_zoom(name):
    def objects(zoom):
        rng = np.random.default_rng(1)
        center = np.array([[75, 60]], np.float32)
        return np.mean([STRUCTURES[name](rng, SIZE, zoom, center).mask.sum() for _ in range(12)])

    assert objects(2.0) > 1.5 * objects(1.0)


@pytest.mark.parametrize("name", STRUCTURES)
def test_without_objects_nothing_is_drawn(name):
    nothing = np.zeros((0, 2), np.float32)
    drawn = STRUCTURES[name](np.random.default_rng(0), SIZE, 1.0, nothing)
    assert not drawn.mask.any()
    assert not drawn.signal.any()


def test_cell_bodies_surround_their_centers():
    rng = np.random.default_rng(0)
    bodies = draw_cell_bodies(rng, SIZE, 1.0, np.array([[75, 60]], np.float32))
    assert bodies.shape == SIZE
    rows, columns = np.nonzero(bodies)
    assert abs(rows.mean() - 60) < 25
    assert abs(columns.mean() - 75) < 25
