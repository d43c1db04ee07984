"""Every kind of specimen can be drawn, repeats from its seed, and says what it shows."""

from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap.errors import SceneError
from napari_clip_heatmap.scenes.specimens import SPECIMENS, draw_specimen


@pytest.mark.parametrize("kind", SPECIMENS)
def test_a_specimen_repeats_and_its_masks_lie_on_the_picture(kind):
    one, two = (draw_specimen(7, (96, 128), kind=kind) for _ in range(2))
    assert np.array_equal(one.image, two.image)
    assert one.image.shape == (96, 128, 3)
    assert one.image.dtype == np.uint8
    assert one.kind == kind
    assert all(mask.shape == (96, 128) and mask.any() for mask in one.masks.values())
    assert not np.array_equal(one.image, draw_specimen(8, (96, 128), kind=kind).image)


@pytest.mark.parametrize("kind", SPECIMENS)
def test_what_is_drawn_differs_from_what_is_around_it(kind):
    differences = []
    for seed in range(12):
        specimen = draw_specimen(seed, (160, 160), kind=kind)
        gray = specimen.image.astype(float).mean(-1)
        differences += [
            abs(gray[mask].mean() - gray[~mask].mean())
            for mask in specimen.masks.values()
            if 100 < mask.sum() < mask.size - 100
        ]
    assert np.median(differences) > 3


def test_all_kinds_come_up():
    assert {draw_specimen(seed, (32, 32)).kind for seed in range(60)} == set(SPECIMENS)


def test_unknown_kinds_and_tiny_sizes_are_refused():
    with pytest.raises(SceneError, match="gram stain"):
        draw_specimen(0, kind="unicorns")
    with pytest.raises(SceneError, match="16 x 16"):
        draw_specimen(0, (15, 64))
