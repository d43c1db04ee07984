"""Maps of single heads, against explanations of their pixels and the map of all heads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import (
    Cancelled,
    DecompositionError,
    ImageError,
    PromptError,
    SettingsError,
)
from napari_clip_heatmap.pipeline.explanation import head_maps
from napari_clip_heatmap.pipeline.explanation.explain import explain
from napari_clip_heatmap.pipeline.explanation.head_maps import HeadMaps

PROMPTS = ["nuclei", "filaments", "an empty field"]
IMAGE = np.random.default_rng(3).integers(0, 256, (75, 60, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def every(tiny_model: Any) -> HeadMaps:
    return nch.head_maps(tiny_model, IMAGE, PROMPTS)


@pytest.fixture(scope="module")
def maps(tiny_model: Any) -> nch.Heatmaps:
    return nch.encode(tiny_model, IMAGE).heatmaps(PROMPTS)


def test_all_heads_together_are_the_map(every: HeadMaps, maps: nch.Heatmaps) -> None:
    assert every.lattice_values.shape == (3, 3, 4, *maps.lattice_values.shape[1:])
    together = every.only(layers=[0, 1, 2])
    np.testing.assert_allclose(together.values, maps.values, atol=1e-5)
    np.testing.assert_allclose(every.similarity, maps.similarity, atol=1e-5)
    assert len(together.heads) == 12
    assert repr(every) == "HeadMaps(prompts=3, layers=3, heads=4, patches=10 x 8)"


def test_each_pixel_of_a_head_map_is_that_heads_contribution(
    every: HeadMaps, tiny_model: Any
) -> None:
    why = explain(tiny_model, IMAGE, PROMPTS, at=(31, 47))
    for layer, head in [(0, 0), (1, 3), (2, 2)]:
        values = every.only(heads=[f"L{layer}H{head}"]).values[:, 31, 47]
        np.testing.assert_allclose(values, why.contributions[:, layer, head], atol=1e-6)


def test_without_and_only_sum_to_the_whole(every: HeadMaps, maps: nch.Heatmaps) -> None:
    named = {"heads": ["L0H1", "L2H3"]}
    only, without = every.only(**named), every.without(**named)
    assert only.heads == without.heads == ("L0H1", "L2H3")
    assert (only.left_out, without.left_out) == (False, True)
    np.testing.assert_allclose(only.values + without.values, maps.values, atol=1e-5)
    np.testing.assert_allclose(only.similarity + without.similarity, maps.similarity, atol=1e-5)
    nothing = every.without(layers=["L0", "L1", "L2"])
    np.testing.assert_allclose(nothing.values, 0, atol=1e-6)


def test_the_similarity_without_heads_is_that_of_the_explanation(
    every: HeadMaps, tiny_model: Any
) -> None:
    whole = explain(tiny_model, IMAGE, PROMPTS)
    np.testing.assert_allclose(every.contributions, whole.contributions, atol=1e-6)
    left = whole.without(layers=["L1"])
    np.testing.assert_allclose(every.without(layers=["L1"]).similarity, left, atol=1e-5)


def test_outside_the_region_there_is_nothing(tiny_model: Any) -> None:
    region = nch.Region(box=(10, 10, 30, 40))
    found = nch.head_maps(tiny_model, IMAGE, PROMPTS, score="absolute", region=region)
    expected = nch.encode(tiny_model, IMAGE, region=region).heatmaps(PROMPTS, "absolute")
    for values in (
        found.only(layers=[0, 1, 2]).values,
        found.only(heads=["L0H0"]).values,
        found.without(layers=[0, 1, 2]).values,
    ):
        assert (np.isnan(values) == np.isnan(expected.values)).all()
    np.testing.assert_allclose(found.only(layers=[0, 1, 2]).values, expected.values, atol=1e-5)


def test_what_cannot_be_made_is_said(
    every: HeadMaps, tiny_model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DecompositionError, match="no head 9"):
        every.only(heads=["L0H9"])
    with pytest.raises(PromptError, match="softmax"):
        nch.head_maps(tiny_model, IMAGE, PROMPTS, score="softmax")
    with pytest.raises(Cancelled):
        nch.head_maps(tiny_model, IMAGE, PROMPTS, cancelled=lambda: True)
    monkeypatch.setattr(head_maps, "MEMORY", 1000)
    with pytest.raises(ImageError, match="larger downsample"):
        nch.head_maps(tiny_model, IMAGE, PROMPTS)
    with pytest.raises(SettingsError, match=r"head_maps\(model, image, prompts\)"):
        nch.encode(tiny_model, IMAGE).heatmaps(PROMPTS, layers=["L2"])
