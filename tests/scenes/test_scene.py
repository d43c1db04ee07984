"""Drawn scenes: repeatable, truthful, and refused when they make no sense."""

from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap.errors import SceneError
from napari_clip_heatmap.scenes import CLASSES, draw, sample_scene
from napari_clip_heatmap.scenes.scene import Modality
from napari_clip_heatmap.scenes.vocabulary import BLOOD_CLASSES, CELL_CLASSES


@pytest.mark.parametrize("seed", range(12))
def test_the_same_seed_draws_the_same_scene(seed: int) -> None:
    one, two = draw(seed, (96, 120)), draw(seed, (96, 120))
    assert one.image.shape == (96, 120, 3)
    assert one.image.dtype == np.uint8
    assert np.array_equal(one.image, two.image)
    assert one.masks.keys() == two.masks.keys()
    assert all(np.array_equal(one.masks[name], two.masks[name]) for name in one.masks)


def test_seeds_differ() -> None:
    assert not np.array_equal(draw(0).image, draw(1).image)


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_is_where_its_mask_says(name: str) -> None:
    """Inside the mask the picture differs from the ground, most of the time clearly."""
    gaps = []
    for seed in range(12):
        scene = draw(seed, (128, 128), classes=[name])
        own = scene.masks[name]
        if 100 < own.sum() < 0.9 * own.size:
            values = scene.image.astype(float)
            gaps.append(np.abs(values[own].mean(0) - values[~own].mean(0)).max())
    assert len(gaps) >= 6
    assert np.median(gaps) > 15


@pytest.mark.parametrize("modality", ["fluorescence", "brightfield", "smear"])
def test_a_modality_shows_only_its_classes(modality: Modality) -> None:
    allowed = set(BLOOD_CLASSES if modality == "smear" else CELL_CLASSES)
    for seed in range(10):
        scene = draw(seed, (64, 64), modality=modality)
        assert scene.modality == modality
        assert set(scene.masks) <= allowed


def test_a_cell_that_covers_another_owns_the_pixels() -> None:
    scene = draw(3, (256, 256), classes=BLOOD_CLASSES)
    assert (sum(mask.astype(int) for mask in scene.masks.values()) <= 1).all()


def test_an_empty_scene_has_no_mask() -> None:
    assert dict(draw(0, classes=[]).masks) == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": (8, 64)}, "16 x 16"),
        ({"classes": ["unicorns"]}, "unicorns"),
        ({"classes": ["nuclei", "platelets"]}, "do not go together"),
        ({"classes": ["nuclei"], "modality": "smear"}, "do not go together"),
        ({"modality": "x-ray"}, "x-ray"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(SceneError, match=message):
        draw(0, **arguments)  # type: ignore[arg-type]


def test_the_sample_is_a_color_picture() -> None:
    image = sample_scene()
    assert image.shape == (512, 512, 3)
    assert image.std() > 10
