"""The bundled model means something: its maps lie on what their prompts name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import napari_clip_heatmap as nch
from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.scenes import CLASSES, draw

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

# Below what `clip-heatmap evaluate` finds over many scenes (docs/demo-model.md), above chance.
FLOORS = {"nuclei": 0.85, "red blood cells": 0.8, "white blood cells": 0.75, "membranes": 0.75}


@pytest.mark.parametrize("name", FLOORS)
def test_a_map_lies_on_its_class(demo: ClipModel, name: str) -> None:
    found = []
    for seed in range(5_000_000, 5_000_010):
        scene = draw(seed, (128, 128), classes=[name])
        own = scene.masks[name]
        if 100 < own.sum() < 0.9 * own.size:
            values = nch.encode(demo, scene.image).heatmaps(CLASSES).values[CLASSES.index(name)]
            found.append(auroc(values[own], values[~own]))
    assert len(found) >= 5
    assert np.mean(found) > FLOORS[name]


def test_words_it_never_met_are_named(demo: ClipModel) -> None:
    image = draw(1, (64, 64)).image
    notes = nch.encode(demo, image).heatmaps(["nuclei", "unicorns", "cell membranes"]).notes
    assert any("unicorns" in note for note in notes)
    assert not any("membranes" in note for note in notes)
