from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_clip_heatmap._napari.controllers.annotation.placing import (
    FADED,
    class_colormap,
    label_features,
    labels_placement,
)


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_coarse_labels_cover_the_image_exactly(factor):
    image = Image(
        np.zeros((64, 96)),
        scale=(0.5, 0.25),
        translate=(10, 20),
        rotate=30,
        shear=[0.2],
        affine=[[1, 0.1, 3], [0, 2, 4], [0, 0, 1]],
    )
    labels = Labels(np.zeros((64 // factor, 96 // factor), int), **labels_placement(image, factor))
    for corner in ((0, 0), (64, 0), (0, 96), (64, 96)):
        at = np.array(corner)
        np.testing.assert_allclose(
            labels.data_to_world(at / factor - 0.5), image.data_to_world(at - 0.5), atol=1e-9
        )


def test_row_k_is_label_k():
    frame = label_features({"label": np.array([1, 3]), "prompt": np.array(["a", "b"])}, "cells")
    assert [*frame.columns] == ["label", "roi_id", "prompt"]
    assert frame["label"].tolist() == [0, 1, 2, 3]
    assert frame["prompt"][3] == "b"
    assert frame["prompt"].isna().tolist() == [True, False, True, False]


def test_numbers_far_apart_have_an_index_instead():
    frame = label_features({"label": np.array([7, 90_000]), "prompt": np.array(["a", "b"])}, "x")
    assert [*frame.columns] == ["label", "roi_id", "index", "prompt"]
    assert frame["index"].tolist() == [7, 90_000]
    assert len(label_features({"label": np.zeros(0, int)}, "x")) == 1


def test_a_class_is_a_color_and_each_object_has_its_opacity():
    colormap = class_colormap([1, 2, 3], [0, 1, 0], [1, 0.6, FADED])
    colors = colormap.color_dict
    np.testing.assert_array_equal(colors[1][:3], colors[3][:3])
    assert not np.array_equal(colors[1], colors[2])
    assert [round(float(colors[n][3]), 6) for n in (1, 2, 3)] == [1, 0.6, FADED]
    assert colors[None][3] == 0
