from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_clip_heatmap.scenes.smear import draw_smear
from napari_clip_heatmap.scenes.vocabulary import BLOOD_CLASSES

SIZE = (140, 160)


@pytest.mark.parametrize(
    "classes",
    [each for n in range(4) for each in itertools.combinations(BLOOD_CLASSES, n)],
)
def test_only_what_is_wanted_is_drawn_and_each_pixel_has_one_owner(classes):
    picture, masks = draw_smear(np.random.default_rng(0), SIZE, 1.0, classes)
    assert picture.shape == (*SIZE, 3)
    assert np.isfinite(picture).all()
    assert set(masks) == set(classes)
    owners = sum((mask.astype(int) for mask in masks.values()), start=np.zeros(SIZE, int))
    assert owners.max(initial=0) <= 1


def test_cells_absorb_light():
    for seed in range(4):
        picture, masks = draw_smear(np.random.default_rng(seed), SIZE, 1.0, BLOOD_CLASSES)
        free = ~np.any(list(masks.values()), axis=0)
        assert picture[masks["white blood cells"]].mean() < picture[free].mean()


def test_white_cells_are_larger_than_platelets():
    def area(name):
        masks = [
            draw_smear(np.random.default_rng(s), SIZE, 1.0, (name,))[1][name] for s in range(8)
        ]
        return np.mean([mask.mean() for mask in masks])

    assert area("white blood cells") > 3 * area("platelets")
