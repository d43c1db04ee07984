"""Localization is compared on the same things by the same measure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import ImageError, SettingsError
from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.evaluation.localization import compare_localization
from napari_clip_heatmap.scenes import CLASSES, draw


def test_exact_has_the_auroc_of_the_products_relative_maps(tiny_model) -> None:
    found = compare_localization(tiny_model, data=None, n_scenes=2, seed=5, methods=["maskclip"])
    expected = []
    for number in (5, 6):
        scene = draw(number, (256, 256))
        maps = nch.encode(tiny_model, scene.image).heatmaps(CLASSES).values
        expected += [
            auroc(maps[CLASSES.index(name)][mask], maps[CLASSES.index(name)][~mask])
            for name, mask in scene.masks.items()
            if min(mask.sum(), (~mask).sum()) >= 50
        ]
    assert found.methods == ("exact", "maskclip")
    np.testing.assert_allclose(found.values["drawn scenes"][0], expected, atol=2e-3)


def test_real_images_are_kept_apart_by_kind(tiny_model, real_data: Path, tmp_path: Path) -> None:
    steps = []
    found = compare_localization(
        tiny_model,
        data=real_data,
        n_scenes=0,
        seed=1,
        methods=["exact", "value-only"],
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps == [(1, 2), (2, 2)]
    assert list(found.values) == ["nuclei, stained", "blood"]
    text, numbers = found.write(tmp_path / "out")
    assert "values without attention" in text.read_text()
    assert json.loads(numbers.read_text())["methods"] == ["exact", "value-only"]


def test_nothing_to_compare_is_refused(tiny_model, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="0 scenes"):
        compare_localization(tiny_model, data=None, n_scenes=0, seed=1)
    with pytest.raises(ImageError, match=r"boxes\.json"):
        compare_localization(tiny_model, data=tmp_path, n_scenes=1, seed=1)


def test_unknown_methods_are_refused_before_any_work(tiny_model) -> None:
    with pytest.raises(SettingsError, match="'rollout'"):
        compare_localization(tiny_model, data=None, n_scenes=1, seed=1, methods=["rollout"])
