from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import shapely
from napari.layers import Labels
from npe2 import PluginManager

from napari_clip_heatmap.errors import OutputError


@pytest.fixture
def save():
    PluginManager.instance().discover()  # this plugin's writer, and napari's own

    def save(layer, path):
        layer.save(str(path), plugin="napari-clip-heatmap")
        return json.loads(path.read_text(encoding="utf-8"))["features"]

    return save


@pytest.fixture
def labels():
    labels = np.zeros((40, 50), np.int32)
    labels[5:15, 5:15] = 3
    labels[20:30, 10:40] = 7
    labels[23:26, 20:30] = 0  # a hole
    return labels


def test_polygons_cover_the_labels(save, labels, tmp_path):
    features = save(Labels(labels, name="cells"), tmp_path / "cells.geojson")
    areas = [shapely.geometry.shape(each["geometry"]).area for each in features]
    assert areas == [(labels == 3).sum(), (labels == 7).sum()]
    assert {each["properties"]["classification"]["name"] for each in features} == {"cells"}


def test_features_go_to_their_label(save, labels, tmp_path):
    about = pd.DataFrame(
        {"label": [0, 7, 3], "prompt": ["", "nuclei", "debris"], "score": [0.0, 0.7, 0.3]}
    )
    features = save(Labels(labels, features=about), tmp_path / "named.geojson")
    named = [
        (each["properties"]["classification"]["name"], each["properties"]["measurements"])
        for each in features
    ]
    assert named == [("debris", {"label": 3, "score": 0.3}), ("nuclei", {"label": 7, "score": 0.7})]


def test_a_stack_is_refused_in_words(save, labels, tmp_path):
    with pytest.raises(OutputError, match="one plane"):
        save(Labels(np.stack([labels, labels])), tmp_path / "stack.geojson")
    assert not (tmp_path / "stack.geojson").exists()
