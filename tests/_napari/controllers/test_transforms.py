from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from napari_clip_heatmap._napari.controllers.layers import placement

SHEARED = np.array([[1.1, 0.3, 5], [-0.2, 0.9, 7], [0, 0, 1]])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale": (0.5, 2), "translate": (3, -4), "units": ("um", "um")},
        {"rotate": 30, "shear": [0.2], "scale": (-1, 2), "axis_labels": ("row", "column")},
        {"affine": SHEARED, "rotate": 10},
    ],
)
def test_a_heatmap_lies_on_its_image(options):
    source = Image(np.zeros((20, 30)), **options)
    heatmap = Image(np.zeros((20, 30)), **placement(source))
    np.testing.assert_allclose(heatmap.extent.world, source.extent.world)
    for corner in [(0, 0), (19, 0), (7, 29)]:
        np.testing.assert_allclose(heatmap.data_to_world(corner), source.data_to_world(corner))
    assert heatmap.units == source.units
    assert heatmap.axis_labels == source.axis_labels


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing:UserWarning")
@pytest.mark.parametrize("rotate", [0, (10, 20, 30)])
def test_a_stack_lies_on_its_stack(rotate):
    source = Image(
        np.zeros((4, 5, 20, 30)),
        scale=(1, 3, 0.5, 0.5),
        translate=(9, 8, 7, 6),
        units=("s", "um", "um", "um"),
        rotate=np.eye(4) if rotate == 0 else _turn(rotate),
    )
    heatmap = Image(np.zeros((4, 5, 20, 30), np.float32), **placement(source))
    for corner in [(0, 0, 0, 0), (3, 4, 19, 0), (1, 2, 7, 29)]:
        np.testing.assert_allclose(heatmap.data_to_world(corner), source.data_to_world(corner))
    assert heatmap.units == source.units


def _turn(angles):
    turn = np.eye(4)
    turn[1:, 1:] = Image(np.zeros((2, 2, 2)), rotate=angles).rotate
    return turn
