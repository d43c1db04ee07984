from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_clip_heatmap._napari.annotation_state import ObjectRule, ObjectSettings
from napari_clip_heatmap._napari.job.heatmap_stack import HeatmapStack
from napari_clip_heatmap._napari.job.object_work import ObjectRequest, coarse_factor
from napari_clip_heatmap.errors import Cancelled, ImageError, PromptError
from napari_clip_heatmap.pipeline.encode import encode

PROMPTS = ("red", "green")
BY_MAP = ObjectSettings(rule=ObjectRule.EVERY, by_image=False)


@pytest.fixture
def stripes():
    image = np.zeros((96, 128, 3), np.uint8)
    image[:, :64, 0] = image[:, 64:, 1] = 200
    image[::16, ::16] = 90
    return image


@pytest.fixture
def maps(model, stripes):
    return encode(model, stripes, downsample=1).lazy_heatmaps(PROMPTS, score="absolute")


def request_of(maps, settings=BY_MAP, *, leading=(), planes=((),), keys=PROMPTS, **options):
    stack = HeatmapStack(PROMPTS, maps.lattice, leading)
    for index in planes:
        stack.paint(index, maps)
    result = SimpleNamespace(
        stack=stack,
        keys=PROMPTS,
        scoring=maps.scoring,
        similarity=np.array([0.1, 0.2], np.float32),
        tiling={"model": {"name": "colours"}},
    )
    return ObjectRequest(result, (), settings, keys, planes, **options)


@pytest.mark.parametrize(
    ("shape", "factor"), [((100, 100), 1), ((4096, 4096), 1), ((8192, 8192), 2), ((16384,) * 2, 4)]
)
def test_large_planes_are_taken_at_a_fraction(shape, factor):
    assert coarse_factor(shape) == factor


def test_objects_are_those_of_the_library(maps, model, stripes):
    request = request_of(maps)
    found = request.find()[()]
    eager = encode(model, stripes, downsample=1).heatmaps(PROMPTS, score="absolute")
    for prompt in PROMPTS:
        same = eager.objects(prompt, fill_holes=True)
        np.testing.assert_array_equal(found[prompt].labels, same.labels)
        np.testing.assert_array_equal(found[prompt].table["area"], same.table["area"])
        assert found[prompt].table.names == same.table.names


def test_figures_of_coarse_objects_are_in_image_pixels(maps):
    fine = request_of(maps, pixel_size=(0.5, 0.5), unit="um").find()[()]["red"].table
    request = request_of(maps, pixel_size=(0.5, 0.5), unit="um", most=2000)
    assert request.factor == 4
    coarse = request.find()[()]["red"].table
    fine = fine.where(fine["area"] > 100)
    for name in ("area", "centroid_y", "centroid_x", "bbox_x1", "area_um2", "centroid_x_um"):
        np.testing.assert_allclose(coarse[name], fine[name], rtol=0.1, atol=3, err_msg=name)


def test_winners_are_found_together(maps):
    settings = ObjectSettings(rule=ObjectRule.WINNER)
    (objects,) = request_of(maps, settings).find()[()].values()
    assert {*objects.table["prompt"]} == {*PROMPTS}


def test_peaks_are_in_image_pixels_whatever_the_fraction(maps):
    fine, _ = request_of(maps).find_peaks("red", ())
    coarse, values = request_of(maps, most=2000).find_peaks("red", ())
    np.testing.assert_array_equal(fine, coarse)
    assert len(values) == len(fine) > 0


def test_what_cannot_be_made_is_said(maps):
    with pytest.raises(ImageError, match="no heatmaps yet: run on it first"):
        request_of(maps, planes=()).prompt_map("red", (7,))
    with pytest.raises(PromptError, match="no prompt with a heatmap"):
        request_of(maps, keys=()).find()
    with pytest.raises(Cancelled):
        request_of(maps).find(lambda: True)
