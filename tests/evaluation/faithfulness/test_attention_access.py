"""Attention is read and changed as if the model itself did it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
import torch

from napari_clip_heatmap.errors import DecompositionError
from napari_clip_heatmap.evaluation.faithfulness.attention_access import (
    AttentionAccess,
    run_with_attention,
    unit_cosine,
)


def test_nothing_changes_by_looking(tiny_clip, tiny_model, tiles) -> None:
    batch = tiny_model.preprocess(tiles)
    with torch.no_grad():
        expected = tiny_clip.encode_image(batch)
        run = run_with_attention(tiny_model.tower, batch)
    torch.testing.assert_close(run.representation, expected)
    assert len(run.streams) == len(run.weights) + 1 == 4


def test_weights_are_those_of_stock_attention(tiny_clip, tiny_model, tiles, stock_streams) -> None:
    batch = tiny_model.preprocess(tiles)
    with torch.no_grad():
        run = run_with_attention(tiny_model.tower, batch)
        streams = stock_streams(tiny_clip.visual, batch)
        for block, stream, weights in zip(
            tiny_clip.visual.transformer.resblocks, streams, run.weights, strict=False
        ):
            inputs = block.ln_1(stream)
            _, expected = block.attn(
                inputs, inputs, inputs, need_weights=True, average_attn_weights=False
            )
            torch.testing.assert_close(weights, expected)


def test_an_edit_takes_effect_in_each_layer(
    tiny_clip, tiny_model, tiles, stock_projections
) -> None:
    batch = tiny_model.preprocess(tiles)
    with torch.no_grad():
        run = run_with_attention(tiny_model.tower, batch, lambda weights: weights * 0)
        stream = run.streams[0]
        for block in tiny_clip.visual.transformer.resblocks:
            stream = stream + block.attn.out_proj.bias
            stream = stream + block.mlp(block.ln_2(stream))
        pooled = tiny_clip.visual.ln_post(stream[:, 0]) @ tiny_clip.visual.proj
    torch.testing.assert_close(run.representation, pooled)


def test_weights_can_be_differentiated_though_nothing_else_can(tiny_model, tiles) -> None:
    with torch.enable_grad():
        run = run_with_attention(tiny_model.tower, tiny_model.preprocess(tiles))
        gradients = torch.autograd.grad(run.representation.sum(), run.weights)
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


def test_the_access_ends_with_its_block() -> None:
    value = torch.ones(1, 1, 2, 2)
    with AttentionAccess() as access:
        torch.nn.functional.scaled_dot_product_attention(value, value, value)
    torch.nn.functional.scaled_dot_product_attention(value, value, value)
    assert len(access.weights) == 1


@pytest.mark.parametrize("scale", [None, 0.3])
@pytest.mark.parametrize("allowed", [True, False])
def test_scores_take_a_bias_or_a_mask(scale, allowed) -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = torch.randn(3, 2, 4, 5, 8, generator=generator)
    bias = torch.randn(4, 5, 5, generator=generator)
    if allowed:
        bias = (bias > 0) | torch.eye(5, dtype=torch.bool)
    attend = torch.nn.functional.scaled_dot_product_attention
    expected = attend(query, key, value, attn_mask=bias, scale=scale)
    with AttentionAccess() as access:
        found = attend(query, key, value, attn_mask=bias, scale=scale)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(access.weights[0].sum(dim=-1), torch.ones(2, 4, 5))


@dataclass(frozen=True)
class _Silent:
    """A block that attends in a way of its own."""

    def step(self, stream):
        return SimpleNamespace(resid_post=stream)


def test_a_tower_that_attends_otherwise_is_refused(tiny_model, tiles) -> None:
    tower = replace(tiny_model.tower, blocks=(_Silent(),) * 3)
    with pytest.raises(DecompositionError, match="3 layers made 0 calls"):
        run_with_attention(tower, tiny_model.preprocess(tiles))


def test_cosine_ignores_the_length_of_the_embedding(directions) -> None:
    embedding = torch.randn(2, 24, generator=torch.Generator().manual_seed(0))
    found = unit_cosine(5 * embedding, directions)
    expected = torch.cosine_similarity(embedding, directions)
    torch.testing.assert_close(found, expected)
