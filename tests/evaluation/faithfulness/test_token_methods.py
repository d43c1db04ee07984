"""Each map with one vector a patch, against stock weights put together by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes

from napari_clip_heatmap.evaluation.faithfulness.attention_access import run_with_attention
from napari_clip_heatmap.evaluation.faithfulness.token_methods import (
    IMAGE_METHODS,
    alike,
    centered,
    exact,
    last_layers,
    maskclip,
    naclip,
    rotated,
    value_only,
)


@pytest.fixture(scope="module")
def batch(tiny_model, tiles):
    return tiny_model.preprocess(tiles)


def off_mean(tokens):
    """What shapes a map: constants of a whole tile aside."""
    flat = tokens.flatten(1, 2)
    return flat - flat.mean(dim=1, keepdim=True)


@pytest.mark.parametrize("name", IMAGE_METHODS)
def test_one_vector_a_patch(tiny_model, batch, name) -> None:
    tokens = IMAGE_METHODS[name][1](tiny_model, batch)
    assert tokens.shape == (2, 4, 4, 24)
    assert torch.isfinite(tokens).all()
    assert not tokens.requires_grad


def test_exact_is_the_product_itself(tiny_model, batch) -> None:
    torch.testing.assert_close(exact(tiny_model, batch), tiny_model.token_map(batch).tokens)


def test_centered_has_the_same_total_with_its_rest(tiny_model, batch) -> None:
    parts = tiny_model.token_map(batch, convention="centred")
    total = centered(tiny_model, batch).sum(dim=(1, 2)) + parts.rest
    torch.testing.assert_close(total, tiny_model.token_map(batch).total)


def test_last_layers_are_a_part_of_the_decomposition(tiny_model, batch) -> None:
    parts = tiny_model.decompose(batch, layers=[2])
    expected = parts.attention[:, :, 1:].sum(dim=(1, 3))
    found = off_mean(last_layers(tiny_model, batch))
    torch.testing.assert_close(found, expected - expected.mean(dim=1, keepdim=True))


def test_value_only_attends_to_all_alike(
    tiny_clip, tiny_model, batch, stock_streams, stock_projections
) -> None:
    visual = tiny_clip.visual
    streams = stock_streams(visual, batch)
    with torch.no_grad():
        total = torch.zeros(2, 17, 32)
        for block, stream in zip(visual.transformer.resblocks, streams, strict=False):
            _, _, value = stock_projections(block, stream)
            mixed = value.permute(0, 2, 1, 3).flatten(2) / 17  # the same weight for each token
            total += mixed @ block.attn.out_proj.weight.T
        pooled = streams[-1][:, 0]
        sigma = (pooled.var(dim=1, correction=0) + visual.ln_post.eps).sqrt()
        length = visual(batch).norm(dim=1)
        read = (total * visual.ln_post.weight) @ visual.proj / (sigma * length)[:, None, None]
    torch.testing.assert_close(
        off_mean(value_only(tiny_model, batch)),
        read[:, 1:] - read[:, 1:].mean(dim=1, keepdim=True),
        atol=1e-5,
        rtol=1e-4,
    )


def test_maskclip_reads_the_last_values(
    tiny_clip, tiny_model, batch, stock_streams, stock_projections
) -> None:
    visual = tiny_clip.visual
    block, stream = visual.transformer.resblocks[-1], stock_streams(visual, batch)[-2]
    with torch.no_grad():
        _, _, value = stock_projections(block, stream)
        tokens = block.attn.out_proj(value.permute(0, 2, 1, 3).flatten(2))
        read = visual.ln_post(tokens[:, 1:]) @ visual.proj
    expected = torch.nn.functional.normalize(read, dim=-1).reshape(2, 4, 4, 24)
    torch.testing.assert_close(maskclip(tiny_model, batch), expected, atol=1e-5, rtol=1e-4)


def test_naclip_attends_to_near_and_alike_patches(
    tiny_clip, tiny_model, batch, stock_streams, stock_projections
) -> None:
    visual = tiny_clip.visual
    block, stream = visual.transformer.resblocks[-1], stock_streams(visual, batch)[-2]
    places = [(y, x) for y in range(4) for x in range(4)]
    near = np.array(
        [[np.exp(-((a - c) ** 2 + (b - d) ** 2) / 50) for c, d in places] for a, b in places]
    )
    with torch.no_grad():
        _, key, value = (each[:, :, 1:] for each in stock_projections(block, stream))
        scores = key @ key.mT / 8**0.5 + torch.from_numpy(near).float()
        mixed = scores.softmax(dim=-1) @ value
        tokens = block.attn.out_proj(mixed.permute(0, 2, 1, 3).flatten(2))
        read = visual.ln_post(tokens) @ visual.proj
    expected = torch.nn.functional.normalize(read, dim=-1).reshape(2, 4, 4, 24)
    torch.testing.assert_close(naclip(tiny_model, batch), expected, atol=1e-5, rtol=1e-4)


def test_alike_is_a_mean_over_patches_that_likes_near_and_alike_ones(tiny_model, batch) -> None:
    run = run_with_attention(tiny_model.tower, batch)
    tokens = exact(tiny_model, batch).flatten(1, 2)
    for image in range(2):
        for patch in (0, 7, 15):
            weights = torch.zeros(16)
            keys = run.keys[-1][image][:, 1:].detach()
            for head in keys:
                distance = torch.tensor(
                    [
                        np.hypot(patch // 4 - other // 4, patch % 4 - other % 4)
                        for other in range(16)
                    ]
                )
                near = torch.exp(-(distance**2) / 50).float()
                scores = head @ head[patch] * run.scales[-1] + near
                weights += scores.softmax(dim=0) / len(keys)
            expected = weights @ tokens[image]
            found = alike(tiny_model, batch)[image, patch // 4, patch % 4]
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_rotated_is_the_best_rotation_of_the_patches_to_the_exact_map(tiny_model, batch) -> None:
    free = off_mean(naclip(tiny_model, batch)).double().numpy()
    fixed = off_mean(exact(tiny_model, batch)).double().numpy()
    found = off_mean(rotated(tiny_model, batch)).double().numpy()
    for one, other, turned in zip(free, fixed, found, strict=True):
        rotation, stretch = orthogonal_procrustes(one, other)
        expected = one @ rotation * stretch / (one**2).sum()
        np.testing.assert_allclose(turned, expected, atol=1e-6)


def test_a_mean_pooled_tower_has_them_all(make_clip, tiles) -> None:
    from napari_clip_heatmap.clip.loading import load_model

    model = load_model(make_clip(1, pool_type="avg"), device="cpu")
    for name, (_, tokens) in IMAGE_METHODS.items():
        assert torch.isfinite(tokens(model, model.preprocess(tiles))).all(), name
