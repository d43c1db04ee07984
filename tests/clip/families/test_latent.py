"""Pooling by a latent query: a sum over tokens, as torch's own attention pools them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from napari_clip_heatmap.clip.families._latent import (
    LatentAttention,
    LatentBlock,
    Linear,
    zero_start,
)

BATCH, TOKENS, HEADS, WIDTH = 2, 5, 4, 16


def attention(bias: bool = True) -> nn.MultiheadAttention:
    torch.manual_seed(1)
    module = nn.MultiheadAttention(WIDTH, HEADS, bias=bias, batch_first=True).double()
    for weight in module.parameters():
        nn.init.normal_(weight, std=0.4)
    return module


def latent(module: nn.MultiheadAttention, query: Tensor, **more: object) -> LatentBlock:
    weights = module.in_proj_weight.chunk(3)
    biases = (None,) * 3 if module.in_proj_bias is None else module.in_proj_bias.chunk(3)
    projected = nn.functional.linear(query, weights[0], biases[0])
    found = LatentAttention(
        query=projected.unflatten(-1, (HEADS, -1)).transpose(1, 2),
        key=Linear(weights[1], biases[1]),
        value=Linear(weights[2], biases[2]),
        out=Linear(module.out_proj.weight, module.out_proj.bias),
        **more,  # type: ignore[arg-type]
    )
    return LatentBlock(lambda: found)


def tokens() -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(BATCH, TOKENS, WIDTH, generator=generator, dtype=torch.float64)


def query() -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(1, 1, WIDTH, generator=generator, dtype=torch.float64)


@torch.no_grad()
@pytest.mark.parametrize("bias", [True, False])
def test_the_pooled_token_is_a_sum_over_tokens(bias: bool) -> None:
    module = attention(bias)
    block = latent(module, query())
    expected, weights = module(
        query().expand(BATCH, -1, -1), tokens(), tokens(), average_attn_weights=False
    )
    for found in (block.step(tokens()), block.last_step(tokens())):
        torch.testing.assert_close(found.resid_post, expected)
        torch.testing.assert_close(found.weights, weights[:, :, 0].mT)
        by_token = found.head_contributions.flatten(2) @ block.out_weight.mT
        torch.testing.assert_close(by_token.sum(dim=1) + found.attn_bias, expected[:, 0])
        assert not found.mlp_out.any()
    assert (block.value_bias is not None) == bias


@torch.no_grad()
def test_what_an_mlp_adds_belongs_to_no_token() -> None:
    module = attention()
    plain = latent(module, query()).last_step(tokens())
    found = latent(module, query(), mlp=torch.sin).last_step(tokens())
    torch.testing.assert_close(found.mlp_out, torch.sin(plain.resid_post[:, 0]))
    torch.testing.assert_close(found.resid_post[:, 0], plain.resid_post[:, 0] + found.mlp_out)
    assert torch.equal(found.head_contributions, plain.head_contributions)


@torch.no_grad()
def test_normalized_keys() -> None:
    module, norm = attention(), nn.LayerNorm(WIDTH // HEADS).double()
    nn.init.normal_(norm.weight)
    found = latent(module, query(), key_norm=norm).last_step(tokens())
    weights, biases = module.in_proj_weight.chunk(3), module.in_proj_bias.chunk(3)
    q = nn.functional.linear(query(), weights[0], biases[0]).unflatten(-1, (HEADS, -1))
    k = norm(nn.functional.linear(tokens(), weights[1], biases[1]).unflatten(-1, (HEADS, -1)))
    scores = torch.einsum("xqhd,bnhd->bnh", q, k) / (WIDTH // HEADS) ** 0.5
    torch.testing.assert_close(found.weights, scores.softmax(dim=1))


def test_the_query_starts_with_nothing() -> None:
    start = zero_start(7)(torch.ones(3, 5, 4, dtype=torch.bfloat16))
    assert start.shape == (3, 7)
    assert start.dtype == torch.float32  # sums are never taken in half precision
    assert not start.any()
