"""An encoded image of two stripes, and requests for its objects."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_clip_heatmap._napari.annotation_state import ObjectRule, ObjectSettings
from napari_clip_heatmap._napari.job.heatmap_stack import HeatmapStack
from napari_clip_heatmap._napari.job.object_work import ObjectRequest
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


@pytest.fixture
def request_of():
    """Make the request for objects of maps, found in the map alone."""
    return make_request


def make_request(maps, settings=BY_MAP, *, leading=(), planes=((),), keys=PROMPTS, **options):
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
