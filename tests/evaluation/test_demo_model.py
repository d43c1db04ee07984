"""The bundled model means something: its maps lie on what their prompts name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import napari_clip_heatmap as nch
from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.evaluation.gibberish import CLASSIC
from napari_clip_heatmap.imaging.opencv import cv2
from napari_clip_heatmap.scenes import CLASSES, draw
from napari_clip_heatmap.scenes.vocabulary import NAMES

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


@pytest.fixture(scope="module")
def scene(demo: ClipModel) -> nch.Encoding:
    """A scene with two kinds of things."""
    image = draw(5_000_001, (160, 160), classes=["nuclei", "filaments"]).image
    return nch.encode(demo, image)


SOME = settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])


def same_answer(encoding: nch.Encoding, one: list[str], other: list[str], score: str) -> None:
    """Compare map, trust and figures of the first prompt of one list with its own in another."""
    maps = [encoding.heatmaps(asked, score) for asked in (one, other)]
    values = [found.lattice_values[found.prompts.index(one[0])] for found in maps]
    np.testing.assert_allclose(values[1], values[0], atol=1e-4 * np.ptp(values[0]))
    checks = [found.checks[found.prompts.index(one[0])] for found in maps]
    for name in ("trust", "text", "presence", "reasons"):
        assert getattr(checks[1], name) == getattr(checks[0], name)
    for name in ("similarity", "strength", "agreement", "image_score", "unowned", "score_unowned"):
        assert getattr(checks[1], name) == pytest.approx(getattr(checks[0], name), abs=1e-4)


@SOME
@given(data=st.data(), wanted=st.sampled_from(CLASSES))
def test_synonyms_nonsense_order_and_repetition_change_no_balanced_map(
    scene: nch.Encoding, data: st.DataObject, wanted: str
) -> None:
    rivals = data.draw(st.lists(st.sampled_from(CLASSES), max_size=4, unique=True))
    asked = [wanted, *(rival for rival in rivals if rival != wanted)]
    synonyms = data.draw(st.lists(st.sampled_from(NAMES[wanted]), max_size=3))
    nonsense = data.draw(st.lists(st.sampled_from(CLASSIC), max_size=3))
    more = data.draw(st.permutations([*asked, *asked[:2], *synonyms, *nonsense]))
    same_answer(scene, asked, [*more], "balanced")


@SOME
@given(data=st.data(), wanted=st.sampled_from(CLASSES))
def test_company_changes_no_absolute_map_and_repetition_no_relative_one(
    scene: nch.Encoding, data: st.DataObject, wanted: str
) -> None:
    names = [name for each in CLASSES for name in NAMES[each]]
    company = data.draw(st.lists(st.sampled_from([*names, *CLASSIC]), min_size=1, max_size=6))
    same_answer(scene, [wanted], data.draw(st.permutations([wanted, *company])), "absolute")
    asked = [wanted, *dict.fromkeys(each for each in company if each != wanted)]
    for score in ("relative", "softmax"):
        again = data.draw(st.permutations([*asked, *asked, f" {wanted} "]))
        same_answer(scene, asked, [*again], score)


@pytest.mark.parametrize("side", [8, 16])
def test_tiny_images_are_enlarged(demo: ClipModel, side: int) -> None:
    """A few patches show a model next to nothing: with "auto" it is shown more of them."""
    found: dict[object, list[float]] = {"auto": [], 1: []}
    for seed in range(5_200_000, 5_200_014):
        scene = draw(seed, (96, 96), classes=["nuclei"], zoom=1)
        image = cv2.resize(scene.image, (side, side), interpolation=cv2.INTER_AREA)
        mask = scene.masks["nuclei"].astype(np.float32)
        inside = cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA) > 0.5
        if 0.1 < inside.mean() < 0.9:
            for downsample, aurocs in found.items():
                encoding = nch.encode(demo, image, downsample=downsample)
                values = encoding.heatmaps(["nuclei", "background"], "absolute").values[0]
                aurocs.append(auroc(values[inside], values[~inside]))
    assert len(found["auto"]) >= 8
    assert np.mean(found["auto"]) > 0.85
    assert np.mean(found["auto"]) > np.mean(found[1]) + 0.15


@pytest.mark.parametrize("score", ["absolute", "balanced"])
def test_flat_ground_is_clear(demo: ClipModel, score: nch.Score) -> None:
    """What repeats from tile to tile on flat ground lies below zero, where the viewer is clear."""
    scene = draw(5_000_003, (256, 256), classes=["nuclei"], modality="fluorescence")
    image = np.full((480, 480, 3), 2, np.uint8)
    image[:256, :256] = scene.image
    prompts = ["nuclei", "filaments", "mitochondria", "background"]
    maps = nch.encode(demo, image, downsample=1).heatmaps(prompts, score).lattice_values
    flat = maps[:, 42:54, 42:54]  # two periods of tiles, away from the scene and from the border
    assert flat[:3].max() <= 0
    assert np.ptp(flat[0]) < 0.05 * np.ptp(maps[0])
