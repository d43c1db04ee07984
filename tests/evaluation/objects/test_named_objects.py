from __future__ import annotations

import json
import math

import imageio.v3 as iio
import numpy as np
import pytest

from napari_clip_heatmap.evaluation.objects.named_objects import (
    NamedObjects,
    _drawn_objects,
    name_blood_cells,
    name_drawn_objects,
)
from napari_clip_heatmap.scenes import draw


def test_accuracy_is_over_all_objects():
    named = NamedObjects.count([("a", "a"), ("a", "b"), ("b", "b"), ("b", "b")])
    assert named.right == {"a": 1, "b": 2}
    assert named.all == {"a": 2, "b": 2}
    assert named.accuracy == 0.75
    assert math.isnan(NamedObjects.count([]).accuracy)


def test_what_two_classes_claim_and_what_is_small_is_left_out():
    nuclei, filaments = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    nuclei[2:12, 2:12] = True
    nuclei[20:30, 2:12] = True
    nuclei[35:37, 35:37] = True
    filaments[24:28, 0:40] = True
    found = dict(_drawn_objects({"nuclei": nuclei, "filaments": filaments}, 64))
    assert list(found) == ["nuclei"]
    assert found["nuclei"].max() == 1
    assert found["nuclei"][5, 5] == 1
    assert np.count_nonzero(found["nuclei"]) == 100


def test_drawn_objects_are_named_better_than_by_chance(demo):
    named = name_drawn_objects(demo, n_scenes=8, seed=11, progress=lambda: None)
    assert sum(named.all.values()) > 50
    assert len(named.all) >= 3
    assert named.accuracy > 0.7


@pytest.mark.parametrize("only", [True, False])
def test_boxes_are_named_where_there_is_a_choice(demo, tmp_path, only):
    scene = draw(3, (256, 256), classes=["red blood cells", "white blood cells"], zoom=1.2)
    iio.imwrite(tmp_path / "a.png", scene.image)
    boxes = []
    for short, name in (("RBC", "red blood cells"), ("WBC", "white blood cells"))[: 1 + (not only)]:
        y, x = np.nonzero(scene.masks[name])
        boxes.append(
            {"name": short, "box": [int(x.min()), int(y.min()), int(x.max()), int(y.max())]}
        )
    boxes.append({"name": "RBC", "box": [5, 5, 5, 9]})  # of no width
    (tmp_path / "boxes.json").write_text(json.dumps({"a.png": boxes}))
    named = name_blood_cells(demo, tmp_path, lambda: None)
    assert named.all == ({} if only else {"red blood cells": 1, "white blood cells": 1})
