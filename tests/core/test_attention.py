from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from napari_clip_heatmap.core.attention import head_contributions, pooled_weights


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999),
    batch=st.integers(1, 3),
    heads=st.integers(1, 4),
    tokens=st.integers(1, 9),
)
def test_shares_sum_to_fused_attention(seed: int, batch: int, heads: int, tokens: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    query, key, value = (
        torch.randn(batch, heads, tokens, 8, generator=generator).double() for _ in range(3)
    )
    weights = pooled_weights(query[:, :, :1], key, 8**-0.5)
    shares = head_contributions(weights, value.transpose(1, 2))
    assert shares.shape == (batch, tokens, heads, 8)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(batch, heads).double())
    fused = F.scaled_dot_product_attention(query, key, value)[:, :, 0]
    torch.testing.assert_close(shares.sum(dim=1), fused)


def test_weights_of_half_precision_are_single() -> None:
    query, key = torch.zeros(1, 2, 1, 4).half(), torch.zeros(1, 2, 5, 4).half()
    weights = pooled_weights(query, key, 0.5)
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights, torch.full((1, 5, 2), 0.2))
