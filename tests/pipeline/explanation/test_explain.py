"""Contributions of layers and heads, against the maps themselves and the full decomposition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_clip_heatmap as nch
from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.errors import Cancelled, PromptError, SettingsError
from napari_clip_heatmap.pipeline.explanation.explain import explain
from napari_clip_heatmap.pipeline.explanation.tile_heads import TiledImage

PROMPTS = ["nuclei", "filaments", "an empty field"]


def picture(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.integers(20, 100), st.integers(20, 100)),
    overlap=st.sampled_from([0.0, 0.5, 0.75]),
    downsample=st.sampled_from([0.7, 1.0, 2.3]),
    score=st.sampled_from(["relative", "absolute", "balanced"]),
    boxed=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_layers_and_heads_sum_to_the_map(
    tiny_model: Any,
    shape: tuple[int, int],
    overlap: float,
    downsample: float,
    score: Any,
    boxed: bool,
    seed: int,
) -> None:
    image = picture((*shape, 3), seed)
    box = (shape[0] // 4, 2, shape[0] - 3, shape[1] // 2 + 4)
    settings_ = {
        "overlap": overlap,
        "downsample": downsample,
        "region": nch.Region(box=box) if boxed else None,
    }
    maps = nch.encode(tiny_model, image, **settings_).heatmaps(PROMPTS, score)
    y, x = shape[0] // 2, shape[1] // 2
    why = explain(tiny_model, image, PROMPTS, at=(y, x), score=score, **settings_)
    assert why.contributions.dtype == np.float32
    assert why.contributions.shape == (3, 3, 4)
    total = why.contributions.sum(axis=(1, 2)) + why.rest
    np.testing.assert_allclose(total, maps.values[:, y, x], atol=1e-5)
    mask = np.random.default_rng(seed).random(shape) < 0.3
    mask[y, x] = True
    why = explain(tiny_model, image, PROMPTS, at=mask, score=score, **settings_)
    expected = np.nanmean(np.where(mask, maps.values, np.nan), axis=(1, 2))
    np.testing.assert_allclose(why.value, expected, atol=1e-5)
    why = explain(tiny_model, image, PROMPTS, score=score, **settings_)
    np.testing.assert_allclose(why.value, maps.similarity, atol=1e-5)


def test_a_cell_center_has_the_terms_of_the_full_decomposition(tiny_model: Any) -> None:
    image, finest = picture((4, 4, 3)), {"downsample": 0.125}  # a pixel is a patch
    seen = TiledImage(tiny_model, image, **finest).read((0, 0))
    batch = tiny_model.preprocess(seen[None])
    parts = nch.decompose(tiny_model, batch)
    text = tiny_model.encode_text(PROMPTS)
    terms = torch.einsum("lnhd,pd->nplh", parts.attention[0], text).numpy()
    why = explain(tiny_model, image, PROMPTS, at=(1, 2), score="absolute", **finest)
    np.testing.assert_allclose(why.contributions, terms[1 + 1 * 4 + 2], atol=1e-6)
    whole = explain(tiny_model, image, PROMPTS, **finest)
    np.testing.assert_allclose(whole.contributions, terms.sum(axis=0), atol=1e-6)
    direct = torch.einsum("ld,pd->lp", parts.mlp[0], text).numpy()
    assert list(whole.parts) == ["input", "L0 MLP", "L1 MLP", "L2 MLP"]
    np.testing.assert_allclose(np.stack([*whole.parts.values()]), direct, atol=1e-6)


def test_a_finer_map_is_explained_by_its_own_tiles(tiny_model: Any) -> None:
    image = picture((44, 50, 3))
    maps = nch.encode(tiny_model, image, quality="fine").heatmaps(PROMPTS)
    coarser = nch.encode(tiny_model, image).heatmaps(PROMPTS)
    assert abs(maps.values[:, 20, 33] - coarser.values[:, 20, 33]).max() > 1e-4
    why = explain(tiny_model, image, PROMPTS, at=(20, 33), quality="fine")
    np.testing.assert_allclose(why.value, maps.values[:, 20, 33], atol=1e-5)
    whole = explain(tiny_model, image, PROMPTS, quality="fine")
    np.testing.assert_allclose(whole.value, maps.similarity, atol=1e-5)
    every = nch.head_maps(tiny_model, image, PROMPTS, quality="fine").only(layers=[0, 1, 2])
    np.testing.assert_allclose(every.values, maps.values, atol=1e-5)


def test_invalid_pixels_count_as_they_do_in_the_map(tiny_model: Any) -> None:
    image = picture((60, 60)).astype(np.float32)
    image[:40, :33] = np.nan
    maps = nch.encode(tiny_model, image).heatmaps(PROMPTS)
    mask = np.zeros((60, 60), bool)
    mask[20:50, 10:50] = True
    why = explain(tiny_model, image, PROMPTS, at=mask)
    expected = np.nanmean(np.where(mask, maps.values, np.nan), axis=(1, 2))
    np.testing.assert_allclose(why.value, expected, atol=1e-5)
    assert why.n_pixels == np.isfinite(maps.values[0][mask]).sum() < mask.sum()
    whole = explain(tiny_model, image, PROMPTS)
    np.testing.assert_allclose(whole.value, maps.similarity, atol=1e-5)


def test_outliers_are_replaced_as_in_the_map(tiny_clip: Any) -> None:
    model = load_model(tiny_clip, device="cpu", outlier_factor=1.05)
    image = picture((50, 70, 3))
    maps = nch.encode(model, image).heatmaps(PROMPTS)
    plain = nch.encode(load_model(tiny_clip, device="cpu"), image).heatmaps(PROMPTS)
    assert abs(maps.values - plain.values).max() > 1e-4
    why = explain(model, image, PROMPTS, at=(20, 33))
    np.testing.assert_allclose(why.value, maps.values[:, 20, 33], atol=1e-5)


@pytest.mark.parametrize("late", [False, True])
def test_mlps_that_belong_to_tokens_are_the_rest(make_clip: Any, late: bool) -> None:
    clip = make_clip(1, pool_type="avg", final_ln_after_pool=late)
    model = load_model(clip, device="cpu", mlp_by_token=True)
    image = picture((50, 70, 3))
    maps = nch.encode(model, image).heatmaps(PROMPTS)
    why = explain(model, image, PROMPTS, at=(20, 33))
    assert list(why.parts) == ["input", "L0 MLP", "L1 MLP", "L2 MLP"]
    assert abs(why.rest).max() > 1e-4
    total = why.contributions.sum(axis=(1, 2)) + why.rest
    np.testing.assert_allclose(total, maps.values[:, 20, 33], atol=1e-5)
    every = nch.head_maps(model, image, PROMPTS)
    only, without = every.only(heads=["L0H1"]), every.without(heads=["L0H1"])
    np.testing.assert_allclose(only.values + without.values, maps.values, atol=1e-5)
    whole = explain(model, image, PROMPTS)
    np.testing.assert_allclose(whole.value, maps.similarity, atol=1e-5)


def test_a_place_costs_the_tiles_over_it_once(tiny_clip: Any, monkeypatch: Any) -> None:
    model = load_model(tiny_clip, device="cpu")
    passes = []
    run = model.head_vectors
    monkeypatch.setattr(
        model, "head_vectors", lambda batch: passes.append(len(batch)) or run(batch)
    )
    image = picture((200, 200, 3))
    why = explain(model, image, PROMPTS, at=(3, 3))
    assert passes == [1]
    assert why.tiles == 1
    explain(model, image, ["other", "prompts"], at=(2, 1), score="absolute")
    assert passes == [1]
    steps: list[tuple[int, int]] = []
    why = explain(model, image, PROMPTS, at=(100, 100), progress=lambda *at: steps.append(at))
    assert sum(passes) == 1 + why.tiles
    assert why.tiles <= 9
    assert steps == [(done, why.tiles) for done in range(why.tiles + 1)]


def test_what_cannot_be_explained_is_said(tiny_model: Any) -> None:
    image = picture((40, 40))
    with pytest.raises(PromptError, match="no sum of contributions"):
        explain(tiny_model, image, PROMPTS, at=(1, 1), score="softmax")
    with pytest.raises(SettingsError, match="load_model"):
        explain("demo", image, PROMPTS)  # type: ignore[arg-type]
    with pytest.raises(Cancelled):
        explain(tiny_model, image, PROMPTS, cancelled=lambda: True)
