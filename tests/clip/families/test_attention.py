"""Attention as a sum over tokens, against attention written out, with each part it may have."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from napari_clip_heatmap.clip.families._attention import Attention, AttentionOutput

BATCH, TOKENS, HEADS, D_HEAD, D_MODEL = 2, 5, 3, 4, 12

PARTS = ("joint", "biased", "qk_norm", "head_scale", "inner", "outer", "layer_scale", "score_bias")
"""What an attention may have; it may also lack each."""


def randomized(module: nn.Module) -> Any:
    for weight in module.parameters():
        nn.init.normal_(weight, std=0.5)
    return module.double()


def norm(width: int) -> Any:
    return randomized(nn.LayerNorm(width))


def make(parts: frozenset[str]) -> Attention:
    torch.manual_seed(11)
    width = HEADS * D_HEAD
    joint = randomized(nn.Linear(D_MODEL, 3 * width, bias="biased" in parts))
    weights = joint.weight.chunk(3)
    biases = (None,) * 3 if joint.bias is None else joint.bias.chunk(3)
    bias = torch.randn(1, HEADS, TOKENS, TOKENS, dtype=torch.float64)
    return Attention(
        weights=(joint.weight,) if "joint" in parts else weights,
        biases=(joint.bias,) if "joint" in parts else biases,
        n_heads=HEADS,
        out=randomized(nn.Linear(width, D_MODEL, bias="biased" in parts)),
        query_norm=norm(D_HEAD) if "qk_norm" in parts else None,
        key_norm=norm(D_HEAD) if "qk_norm" in parts else nn.Identity(),
        head_scale=torch.rand(HEADS, 1, 1).double() + 0.5 if "head_scale" in parts else None,
        inner_norm=norm(width) if "inner" in parts else None,
        outer_norm=norm(D_MODEL) if "outer" in parts else nn.Identity(),
        layer_scale=torch.rand(D_MODEL).double() if "layer_scale" in parts else None,
        score_bias=(lambda: bias) if "score_bias" in parts else None,
    )


def definition(attention: Attention, x: Tensor) -> Tensor:
    """Return what attention adds to the stream at every token, [batch, token, d_model]."""
    stacked = torch.cat(list(attention.weights))
    shift = None if attention.biases[0] is None else torch.cat(list(attention.biases))
    joint = nn.functional.linear(x, stacked, shift)
    q, k, v = (part.unflatten(-1, (HEADS, D_HEAD)).transpose(1, 2) for part in joint.chunk(3, -1))
    q = q if attention.query_norm is None else attention.query_norm(q)
    scores = q @ attention.key_norm(k).mT / D_HEAD**0.5
    if attention.score_bias is not None:
        scores = scores + attention.score_bias()
    heads = (scores.softmax(dim=-1) @ v).transpose(1, 2)
    if attention.head_scale is not None:
        heads = heads * attention.head_scale[:, :, 0]
    mixed = heads.flatten(2)
    mixed = mixed if attention.inner_norm is None else attention.inner_norm(mixed)
    added: Tensor = attention.outer_norm(attention.out(mixed))
    return added if attention.layer_scale is None else added * attention.layer_scale


def reassembled(attention: Attention, output: AttentionOutput) -> Tensor:
    """Return the pooled query's output, the sum over tokens, [batch, d_model]."""
    by_token = output.contributions.flatten(2) @ attention.out_weight.mT
    return by_token.sum(dim=1) + attention.pooled_bias(output)


COMBINATIONS = (
    *(frozenset(each) for n in (0, 1, 2) for each in itertools.combinations(PARTS, n)),
    *(frozenset(PARTS) - {part} for part in PARTS),
    frozenset(PARTS),
)
"""None, each, each pair, all but each, and all parts."""


def inputs() -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(BATCH, TOKENS, D_MODEL, generator=generator, dtype=torch.float64)


@torch.no_grad()
@pytest.mark.parametrize("parts", COMBINATIONS, ids=lambda each: "+".join(sorted(each)))
def test_the_first_query_is_the_sum_of_its_tokens(parts: frozenset[str]) -> None:
    attention, x = make(parts), inputs()
    expected = definition(attention, x)
    whole, first = attention.attend(x, None), attention.attend_first(x)
    torch.testing.assert_close(attention.added(whole.head_outputs), expected)
    torch.testing.assert_close(attention.added(first.head_outputs), expected[:, :1])
    for output in (whole, first):
        torch.testing.assert_close(reassembled(attention, output), expected[:, 0])


@torch.no_grad()
@pytest.mark.parametrize("parts", COMBINATIONS, ids=lambda each: "+".join(sorted(each)))
def test_a_mean_of_queries_is_the_sum_of_its_tokens(parts: frozenset[str]) -> None:
    attention, x = make(parts), inputs()
    pooling = torch.rand(BATCH, TOKENS, generator=torch.Generator().manual_seed(5)).double()
    output = attention.attend(x, pooling)
    expected = torch.einsum("bn,bnd->bd", pooling, definition(attention, x))
    torch.testing.assert_close(reassembled(attention, output), expected)


@torch.no_grad()
@pytest.mark.parametrize("parts", [frozenset(), frozenset({"score_bias", "qk_norm"})])
def test_plain_weights_sum_to_one(parts: frozenset[str]) -> None:
    weights = make(parts).attend_first(inputs()).weights
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(BATCH, HEADS, dtype=torch.float64))


@torch.no_grad()
def test_the_value_bias_is_what_no_token_changes() -> None:
    attention = make(frozenset({"biased", "head_scale"}))
    bias = attention.value_bias
    assert bias is not None
    output = attention.attend_first(torch.zeros(1, TOKENS, D_MODEL, dtype=torch.float64))
    torch.testing.assert_close(output.contributions.sum(dim=1)[0], bias)
    assert make(frozenset()).value_bias is None
