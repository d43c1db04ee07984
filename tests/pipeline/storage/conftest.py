"""A cache of the test's own, and a model that counts the tiles it is shown."""

from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.storage.cache import EncodingCache


@pytest.fixture
def cache(cache_folder):
    return EncodingCache()


@pytest.fixture
def pixels():
    return np.random.default_rng(5).integers(0, 256, (70, 90, 3), np.uint8)


class Counted:
    """A model that counts the tiles it is shown."""

    def __init__(self, model):
        self._model, self.tiles = model, 0

    def __getattr__(self, name):
        return getattr(self._model, name)

    def token_map(self, batch):
        self.tiles += len(batch)
        return self._model.token_map(batch)


@pytest.fixture
def tiles(tiny_model, cache):
    """Encode with the cache; return how many tiles that took."""

    def count(image, *, model=tiny_model, **settings):
        counted = Counted(model)
        encode(counted, image, cache=cache, **{"downsample": 1, **settings})
        return counted.tiles

    return count


@pytest.fixture
def counting():
    return Counted
