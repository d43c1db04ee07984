"""Predicted and actual effects are measured on the model itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_clip_heatmap.evaluation.faithfulness.additive import (
    AdditiveTest,
    cut_attention,
    fill_patches,
    measure_effects,
)
from napari_clip_heatmap.evaluation.faithfulness.stimuli import Stimulus


@pytest.fixture
def stimuli(tiles):
    mask = np.zeros((32, 32), bool)
    mask[:16] = True
    return [Stimulus(tile, "nuclei", mask, "noise") for tile in tiles]


def test_cutting_nothing_changes_nothing(tiny_clip, tiny_model, tiles, directions) -> None:
    image = tiny_model.preprocess(tiles)[0]
    found = cut_attention(tiny_model, image, directions[0], np.zeros((3, 4, 4), bool))
    with torch.no_grad():
        expected = torch.cosine_similarity(tiny_clip.encode_image(image[None]), directions[:1])
    torch.testing.assert_close(found, expected.expand(3), atol=1e-6, rtol=1e-4)


def test_cutting_takes_patches_from_the_class_token_alone(
    one_head, tiles, stock_projections
) -> None:
    from napari_clip_heatmap.clip.loading import load_model

    model, visual = load_model(one_head, device="cpu"), one_head.visual
    batch, direction = model.preprocess(tiles[:1]), model.encode_text(["nuclei"])[0]
    cut = np.zeros((1, 4, 4), bool)
    cut[0, 1, 2] = cut[0, 3, 0] = True
    (block,) = visual.transformer.resblocks
    seen = []
    hook = block.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad():
        visual(batch)
        hook.remove()
        query, key, value = stock_projections(block, seen[0])
        weights = (query[:, :, :1] @ key.mT / 8**0.5).softmax(dim=-1)
        weights[..., [1 + 6, 1 + 12]] = 0
        pooled = seen[0][:, 0] + block.attn.out_proj((weights @ value)[:, 0, 0])
        pooled = pooled + block.mlp(block.ln_2(pooled))
        expected = torch.cosine_similarity(visual.ln_post(pooled) @ visual.proj, direction[None])
    found = cut_attention(model, batch[0], direction, cut)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-4)


def test_filling_gives_pixels_the_mean_color(tiny_clip, tiny_model, tiles, directions) -> None:
    image = tiny_model.preprocess(tiles)[0]
    sets = np.zeros((2, 4, 4), bool)
    sets[0, 1, 3] = True
    sets[1, :2, :2] = True
    expected = image.repeat(2, 1, 1, 1)
    mean = image.mean(dim=(1, 2))[:, None, None]
    expected[0, :, 8:16, 24:32] = mean
    expected[1, :, :16, :16] = mean
    with torch.no_grad():
        cosine = torch.cosine_similarity(tiny_clip.encode_image(expected), directions[:1])
    found = fill_patches(tiny_model, image, directions[0], sets)
    torch.testing.assert_close(found, cosine, atol=1e-6, rtol=1e-4)


def test_effects_of_a_model(tiny_model, stimuli) -> None:
    calls = []
    effects = measure_effects(
        tiny_model, stimuli, ["nuclei", "rods", "dots"], 1, advance=lambda: calls.append(1)
    )
    assert len(calls) == 2
    assert [len(test.actual) for test in effects.tests] == [16, 16, 16]
    assert np.isfinite(effects.unattributed).all()
    again = measure_effects(tiny_model, stimuli, ["nuclei", "rods", "dots"], 1)
    assert np.array_equal(effects.tests[2].actual, again.tests[2].actual)


def test_without_attention_the_other_tests_stay(tiny_model, stimuli) -> None:
    effects = measure_effects(tiny_model, stimuli, ["a", "b"], 1, with_attention=False)
    assert ["pixels" in test.title for test in effects.tests] == [True, True]


def test_what_no_patch_owns_is_the_rest_of_the_variance(tiny_model, stimuli) -> None:
    prompts = ["nuclei", "rods", "dots", "membranes"]
    effects = measure_effects(tiny_model, stimuli[:1], prompts, 1)
    batch = tiny_model.preprocess(stimuli[0].pixels[None])
    parts = tiny_model.decompose(batch)
    texts = tiny_model.encode_text(prompts).double()
    patches = (parts.attention[0, :, 1:].sum(dim=(0, 1, 2)).double() @ texts.T).numpy()
    cosines = (texts @ (parts.representation / parts.representation.norm())[0].double()).numpy()
    by_patches = np.cov(patches, cosines, ddof=0)[0, 1] / cosines.var()
    assert effects.unattributed[0] == pytest.approx(1 - by_patches, abs=1e-4)


def test_correlation_and_slope() -> None:
    predicted = np.array([-1.0, 0.5, 2.0])
    test = AdditiveTest("t", predicted, 0.25 * predicted)
    assert test.correlation == pytest.approx(1)
    assert test.slope == pytest.approx(0.25)
    flat = AdditiveTest("t", np.zeros(3), predicted)
    assert np.isnan(flat.correlation)
    assert np.isnan(flat.slope)
