"""Pooling by attention over the last tokens: one block, whose query is no token of the image.

``pooled = W_O concat_h sum_n a_h,n v_h,n + b_O``, and perhaps what an MLP adds. The tokens come out
of the whole trunk; the contribution of each to the pooled one is exact. The query starts at zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from napari_clip_heatmap.clip.families._attention import split_heads
from napari_clip_heatmap.clip.families._head import is_active, normalize, widen
from napari_clip_heatmap.core.attention import (
    head_contributions,
    pooled_weights,
    pooled_weights_from_inputs,
)
from napari_clip_heatmap.core.tower import BlockOutput, accumulation_dtype

__all__ = ["LatentAttention", "LatentBlock", "Linear", "zero_start"]


@dataclass(frozen=True)
class Linear:
    """``x @ weight.T + bias``; weight [out, in]."""

    weight: Tensor
    bias: Tensor | None


@dataclass(frozen=True)
class LatentAttention:
    """The parts of an attention pooling.

    Parameters
    ----------
    query : Tensor [batch or 1, head, 1, d_head]
    key, value : Linear
    out : Linear
    key_norm : nn.LayerNorm, optional
        Over each head's vector.
    mlp : callable, optional
        What is added to the pooled token, [batch, d_model].
    """

    query: Tensor
    key: Linear
    value: Linear
    out: Linear
    key_norm: Any = None
    mlp: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True)
class LatentBlock:
    """The pooling as the one layer of a tower.

    Parameters
    ----------
    read : callable
        Finds the parts, in each call: weights may be moved, cast or trained.
    """

    read: Callable[[], LatentAttention]

    @property
    def out_weight(self) -> Tensor:
        """Output projection, [d_model, head * d_head]."""
        return self.read().out.weight

    @property
    def value_bias(self) -> Tensor | None:
        """Bias of the values, [head, d_head]."""
        latent = self.read()
        bias = latent.value.bias
        if bias is None:
            return None
        return rearrange(bias, "(head d) -> head d", head=latent.query.shape[1])

    def step(self, stream: Tensor) -> BlockOutput:
        """Pool the tokens."""
        return self.last_step(stream)

    def last_step(self, stream: Tensor) -> BlockOutput:
        """Pool the tokens."""
        latent = self.read()
        tokens = stream.to(latent.value.weight.dtype)
        weights = _weights(latent, tokens)
        values = F.linear(tokens, latent.value.weight, latent.value.bias)
        values = rearrange(
            values, "batch token (head d) -> batch token head d", head=latent.query.shape[1]
        )
        contributions = head_contributions(weights, values)
        head_outputs = contributions.sum(dim=1).flatten(1).to(latent.out.weight.dtype)
        pooled = F.linear(head_outputs, latent.out.weight, latent.out.bias)
        mlp = widen(pooled.new_zeros(pooled.shape) if latent.mlp is None else latent.mlp(pooled))
        bias = latent.out.bias
        return BlockOutput(
            resid_post=(widen(pooled) + mlp)[:, None],
            weights=weights,
            head_contributions=contributions,
            attn_bias=pooled.new_zeros(pooled.shape[1]) if bias is None else bias,
            mlp_out=mlp,
        )


def zero_start(d_model: int) -> Callable[[Tensor], Tensor]:
    """Return what a pooled query that is no token holds at first: zeros, [batch, d_model]."""

    def start(stream: Tensor) -> Tensor:
        return stream.new_zeros(len(stream), d_model, dtype=accumulation_dtype(stream.dtype))

    return start


def _weights(latent: LatentAttention, tokens: Tensor) -> Tensor:
    """Return how much the query attends to each token, [batch, token, head]."""
    n_heads, d_head = latent.query.shape[1], latent.query.shape[-1]
    scale = d_head**-0.5
    if not is_active(latent.key_norm):
        return pooled_weights_from_inputs(latent.query, tokens, latent.key.weight, scale)
    (key,) = split_heads(F.linear(tokens, latent.key.weight, latent.key.bias), n_heads)
    key = normalize(latent.key_norm, key).to(key)
    return pooled_weights(latent.query.expand(len(key), -1, -1, -1), key, scale)
