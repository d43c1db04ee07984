from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap._napari.annotation_state import ObjectRule, ObjectSettings
from napari_clip_heatmap._napari.job.object_work import coarse_factor
from napari_clip_heatmap.errors import Cancelled, ImageError, PromptError
from napari_clip_heatmap.pipeline.encode import encode

PROMPTS = ("red", "green")


@pytest.mark.parametrize(
    ("shape", "factor"), [((100, 100), 1), ((4096, 4096), 1), ((8192, 8192), 2), ((16384,) * 2, 4)]
)
def test_large_planes_are_taken_at_a_fraction(shape, factor):
    assert coarse_factor(shape) == factor


def test_objects_are_those_of_the_library(request_of, maps, model, stripes):
    request = request_of(maps)
    found = request.find()[()]
    eager = encode(model, stripes, downsample=1).heatmaps(PROMPTS, score="absolute")
    for prompt in PROMPTS:
        same = eager.objects(prompt, fill_holes=True)
        np.testing.assert_array_equal(found[prompt].labels, same.labels)
        np.testing.assert_array_equal(found[prompt].table["area"], same.table["area"])
        assert found[prompt].table.names == same.table.names


def test_figures_of_coarse_objects_are_in_image_pixels(request_of, maps):
    fine = request_of(maps, pixel_size=(0.5, 0.5), unit="um").find()[()]["red"].table
    request = request_of(maps, pixel_size=(0.5, 0.5), unit="um", most=2000)
    assert request.factor == 4
    coarse = request.find()[()]["red"].table
    fine = fine.where(fine["area"] > 100)
    for name in ("area", "centroid_y", "centroid_x", "bbox_x1", "area_um2", "centroid_x_um"):
        np.testing.assert_allclose(coarse[name], fine[name], rtol=0.1, atol=3, err_msg=name)


def test_winners_are_found_together(request_of, maps):
    settings = ObjectSettings(rule=ObjectRule.WINNER)
    (objects,) = request_of(maps, settings).find()[()].values()
    assert {*objects.table["prompt"]} == {*PROMPTS}


def test_peaks_are_in_image_pixels_whatever_the_fraction(request_of, maps):
    fine, _ = request_of(maps).find_peaks("red", ())
    coarse, values = request_of(maps, most=2000).find_peaks("red", ())
    np.testing.assert_array_equal(fine, coarse)
    assert len(values) == len(fine) > 0


def test_what_cannot_be_made_is_said(request_of, maps):
    with pytest.raises(ImageError, match="no heatmaps yet: run on it first"):
        request_of(maps, planes=()).prompt_map("red", (7,))
    with pytest.raises(PromptError, match="no prompt with a heatmap"):
        request_of(maps, keys=()).find()
    with pytest.raises(Cancelled):
        request_of(maps).find(lambda: True)
