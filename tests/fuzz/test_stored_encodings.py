"""Encodings on disk that were changed: none is ever read as something else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

import napari_clip_heatmap as nch
from napari_clip_heatmap.imaging.masks import Outlines
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.pipeline.encode import encode


@pytest.fixture(scope="module")
def stored(tiny_model, tmp_path_factory):
    image = np.random.default_rng(0).random((40, 50)).astype(np.float32)
    image[3:5, 7] = np.nan
    region = Region((0, 0, 39, 48), Outlines([[(0, 0), (0, 50), (40, 20)]]))
    encoding = encode(tiny_model, image, region=region)
    path = encoding.save(tmp_path_factory.mktemp("stored") / "cells.zarr.zip")
    return encoding, path.read_bytes()


def test_damaged_encodings(fuzz, stored, tiny_model, tmp_path):
    encoding, content = stored
    expected = encoding.heatmaps(["nuclei", "filaments"]).values
    path = tmp_path / "cells.zarr.zip"

    def attempt(changes):
        changed = bytearray(content)
        for kind, place, value in changes:
            place %= len(changed) or 1
            if kind == "cut":
                del changed[place:]
            elif kind == "insert":
                changed[place:place] = bytes([value])
            elif changed:
                changed[place] = value
        path.write_bytes(changed)
        opened = nch.open_encoding(path, model=tiny_model)
        maps = opened.heatmaps(["nuclei", "filaments"])
        np.testing.assert_array_equal(maps.values, expected)
        assert opened.region.describe() == encoding.region.describe()
        assert opened.ranges == encoding.ranges

    kinds = st.sampled_from(["byte"] * 6 + ["cut", "insert"])
    change = st.tuples(kinds, st.integers(0, len(content)), st.integers(0, 255))
    fuzz(st.lists(change, min_size=1, max_size=3), attempt)
