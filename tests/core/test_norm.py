from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_clip_heatmap.core.attention import layer_norm, statistics


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), size=st.integers(2, 64), eps=st.sampled_from([1e-6, 1e-5, 0.1]))
def test_statistics_rebuild_the_norm(seed: int, size: int, eps: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, weight, bias = (torch.randn(n, size, generator=generator).double() for n in (3, 1, 1))
    mean, sigma = statistics(x, eps)
    expected = (x - mean[:, None]) / sigma[:, None] * weight[0] + bias[0]
    torch.testing.assert_close(layer_norm(x, weight[0], bias[0], eps), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened(dtype: torch.dtype) -> None:
    x = torch.full((1, 64), 300.0)
    x[0, ::2] = 500.0  # its squares overflow float16
    normed = layer_norm(x.to(dtype), None, None, 1e-5)
    mean, sigma = statistics(x.to(dtype), 1e-5)
    assert normed.dtype == mean.dtype == sigma.dtype == torch.float32
    assert (mean.item(), round(sigma.item(), 3)) == (400.0, 100.0)
