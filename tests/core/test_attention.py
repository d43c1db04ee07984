from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from napari_clip_heatmap.core.attention import (
    head_contributions,
    layer_norm,
    pooled_weights,
    pooled_weights_from_inputs,
    statistics,
)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999),
    batch=st.integers(1, 3),
    heads=st.integers(1, 4),
    tokens=st.integers(1, 9),
)
def test_contributions_sum_to_fused_attention(
    seed: int, batch: int, heads: int, tokens: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    query, key, value = (
        torch.randn(batch, heads, tokens, 8, generator=generator).double() for _ in range(3)
    )
    weights = pooled_weights(query[:, :, :1], key, 8**-0.5)
    contributions = head_contributions(weights, value.transpose(1, 2))
    assert contributions.shape == (batch, tokens, heads, 8)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(batch, heads).double())
    fused = F.scaled_dot_product_attention(query, key, value)[:, :, 0]
    torch.testing.assert_close(contributions.sum(dim=1), fused)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), heads=st.integers(1, 4), tokens=st.integers(1, 9))
def test_weights_from_inputs_are_those_of_projected_keys(
    seed: int, heads: int, tokens: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(2, tokens, 12, generator=generator).double()
    key_weight = torch.randn(heads * 8, 12, generator=generator).double()
    key_bias = torch.randn(heads * 8, generator=generator).double()
    query = torch.randn(2, heads, 1, 8, generator=generator).double()
    keys = (inputs @ key_weight.mT + key_bias).unflatten(-1, (heads, 8)).transpose(1, 2)
    torch.testing.assert_close(
        pooled_weights_from_inputs(query, inputs, key_weight, 8**-0.5),
        pooled_weights(query, keys, 8**-0.5),
    )


def test_weights_of_half_precision_are_computed_in_single() -> None:
    query, key = torch.zeros(1, 2, 1, 4).half(), torch.zeros(1, 2, 5, 4).half()
    weights = pooled_weights(query, key, 0.5)
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights, torch.full((1, 5, 2), 0.2))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), size=st.integers(2, 64), eps=st.sampled_from([1e-6, 1e-5, 0.1]))
def test_layer_norm_follows_from_the_statistics(seed: int, size: int, eps: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, weight, bias = (torch.randn(n, size, generator=generator).double() for n in (3, 1, 1))
    mean, sigma = statistics(x, eps)
    expected = (x - mean[:, None]) / sigma[:, None] * weight[0] + bias[0]
    torch.testing.assert_close(layer_norm(x, weight[0], bias[0], eps), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_norm_of_half_precision_is_computed_in_single(dtype: torch.dtype) -> None:
    x = torch.full((1, 64), 300.0)
    x[0, ::2] = 500.0  # its squares overflow float16
    normed = layer_norm(x.to(dtype), None, None, 1e-5)
    mean, sigma = statistics(x.to(dtype), 1e-5)
    assert normed.dtype == mean.dtype == sigma.dtype == torch.float32
    assert (mean.item(), round(sigma.item(), 3)) == (400.0, 100.0)
