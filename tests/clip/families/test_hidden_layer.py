"""A hidden layer whose gates are held: split by term exactly, whatever the activation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from open_clip.transformer import QuickGELU
from timm.layers import Mlp
from torch import Tensor, nn

from napari_clip_heatmap.clip.families._hidden_layer import HiddenLayer, missing_in_mlp

ACTIVATIONS = [nn.GELU(), nn.GELU("tanh"), QuickGELU(), nn.ReLU(), nn.SiLU(), nn.Identity()]


def layer(activation: nn.Module, *, norm: bool = True, bias: bool = True) -> HiddenLayer:
    torch.manual_seed(3)
    linear = nn.Linear(6, 11, bias=bias).double()
    before = nn.LayerNorm(6, bias=bias).double() if norm else None
    if before is not None:
        nn.init.normal_(before.weight)
    return HiddenLayer(before, linear, activation)


def terms() -> Tensor:
    return torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@torch.no_grad()
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda each: repr(each))
def test_the_terms_sum_to_the_output(activation: nn.Module, norm: bool, bias: bool) -> None:
    whole = layer(activation, norm=norm, bias=bias)
    found = whole(terms())
    pooled = terms().sum(dim=1)
    expected = activation(whole.linear(pooled if whole.norm is None else whole.norm(pooled)))
    torch.testing.assert_close(found.output, expected)
    torch.testing.assert_close(found.contributions.sum(dim=1) + found.constant, expected)


@torch.no_grad()
def test_the_gate_is_the_probability_that_gelu_is_named_for() -> None:
    whole = layer(nn.GELU(), norm=False)
    found = whole(terms())
    gate = torch.distributions.Normal(0.0, 1.0).cdf(whole.linear(terms().sum(dim=1)))
    expected = terms() @ whole.linear.weight.mT * gate[:, None]
    torch.testing.assert_close(found.contributions, expected)


@torch.no_grad()
def test_a_unit_at_zero_passes_nothing_and_breaks_nothing() -> None:
    whole = layer(nn.GELU(), norm=False, bias=False)
    found = whole(torch.stack([terms()[:, 0], -terms()[:, 0]], dim=1))  # cancel exactly
    assert torch.equal(found.output, torch.zeros_like(found.output))
    assert found.contributions.isfinite().all()
    assert torch.equal(found.contributions.sum(dim=1), found.output)


@torch.no_grad()
def test_half_precision_is_summed_in_single() -> None:
    whole = layer(nn.GELU())
    exact = whole(terms()).contributions.float()
    half = HiddenLayer(whole.norm.bfloat16(), whole.linear.bfloat16(), whole.activation)
    found = half(terms().bfloat16()).contributions
    assert found.dtype == torch.float32
    assert (found - exact).abs().mean() <= 0.05 * exact.abs().mean()


@pytest.mark.parametrize(
    ("mlp", "message"),
    [
        (nn.Sequential(nn.Linear(2, 2)), "Sequential without fc1, act, fc2"),
        (Mlp(2, 4, use_conv=True), "not linear"),
        (Mlp(2, 4, norm_layer=nn.LayerNorm), "LayerNorm inside"),
        (Mlp(2, 4, act_layer=nn.Sigmoid), "Sigmoid that does not map zero to zero"),
        (Mlp(2, 4, act_layer=nn.PReLU), "PReLU"),
    ],
)
def test_what_is_missing_is_named(mlp: Any, message: str) -> None:
    (found,) = missing_in_mlp(mlp)
    assert message in found


def test_nothing_is_missing_in_the_usual_one() -> None:
    assert list(missing_in_mlp(Mlp(2, 4))) == []
