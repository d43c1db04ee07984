from __future__ import annotations

import numpy as np

from napari_clip_heatmap.api import encode
from napari_clip_heatmap.evaluation.objects.found_objects import (
    find_drawn_objects,
    find_nuclei,
    patch_area,
)
from napari_clip_heatmap.scenes import CLASSES


def test_the_area_of_a_patch_is_in_image_pixels(demo):
    image = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    assert patch_area(encode(demo, image, downsample=1)) == 64
    assert patch_area(encode(demo, image, downsample=2)) == 256


def test_each_class_of_each_scene_is_compared(demo):
    calls = []
    found = find_drawn_objects(demo, n_scenes=3, seed=11, progress=lambda: calls.append(1))
    assert len(calls) == 3
    assert set(found.found) == set(found.by_image) == set(found.oracle) <= set(CLASSES)
    for name, ours in found.found.items():
        best = found.oracle[name]
        assert ours.true == best.true > 0
        assert ours.matched <= ours.true
        assert best.f1 > 0.1
    matched = [
        sum(each.matched for each in kind.values()) for kind in (found.found, found.by_image)
    ]
    assert matched[1] > matched[0], "the image is finer than its patches"


def test_real_nuclei_are_grouped_by_kind(demo, real_data):
    calls = []
    found = find_nuclei(demo, real_data / "nuclei", lambda: calls.append(1))
    assert len(calls) == 1
    assert found.found["stained"].true == found.oracle["stained"].true == 1
    assert found.oracle["stained"].f1 == 1
