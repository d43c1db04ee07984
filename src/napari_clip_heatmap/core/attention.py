"""Attention of a single query: its weights, and the contribution of each token."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from napari_clip_heatmap.core.tower import accumulation_dtype

__all__ = [
    "head_contributions",
    "layer_norm",
    "pooled_weights",
    "pooled_weights_from_inputs",
    "statistics",
]


def pooled_weights(query: Tensor, keys: Tensor, scale: float) -> Tensor:
    """Return the softmax row of one query, never in half precision.

    Parameters
    ----------
    query : Tensor [batch, head, 1, d_head]
    keys : Tensor [batch, head, token, d_head]
    scale : float
        Factor of the scores, usually ``d_head ** -0.5``.

    Returns
    -------
    Tensor [batch, token, head]
        Sums to 1 over tokens.
    """
    wide = accumulation_dtype(query.dtype)
    scores = (query.to(wide) * scale) @ keys.to(wide).mT  # [batch, head, 1, token]
    return rearrange(scores.softmax(dim=-1), "batch head 1 token -> batch token head")


def pooled_weights_from_inputs(
    query: Tensor, inputs: Tensor, key_weight: Tensor, scale: float
) -> Tensor:
    """Return the softmax row of one query without computing any key.

    ``q . (W_k x + b_k) = (W_k^T q) . x + q . b_k``: one small product per head replaces the
    projection of every token. The last term is the same for all tokens, so softmax cancels it.

    Parameters
    ----------
    query : Tensor [batch, head, 1, d_head]
    inputs : Tensor [batch, token, d_model]
        The input of the key projection.
    key_weight : Tensor [head * d_head, d_model]
        A plain projection; keys that are normalized afterwards are not linear in the inputs.
    scale : float
        Factor of the scores, usually ``d_head ** -0.5``.

    Returns
    -------
    Tensor [batch, token, head]
        Sums to 1 over tokens.
    """
    wide = accumulation_dtype(query.dtype)
    by_head = rearrange(
        key_weight.to(wide), "(head d) d_model -> head d d_model", head=query.shape[1]
    )
    queries = ((query.to(wide) * scale) @ by_head)[:, :, 0]  # [batch, head, d_model]
    return (inputs.to(wide) @ queries.mT).softmax(dim=1)


def head_contributions(weights: Tensor, values: Tensor) -> Tensor:
    """Return weight times value vector, [batch, token, head, d_head].

    Parameters
    ----------
    weights : Tensor [batch, token, head]
    values : Tensor [batch, token, head, d_head]
    """
    return values * weights[..., None]  # this order keeps heads contiguous in memory


def layer_norm(residual: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Normalize the last axis, in single precision or wider whatever the dtype of the weights."""
    wide = accumulation_dtype(residual.dtype)
    return F.layer_norm(
        residual.to(wide),
        (residual.shape[-1],),
        None if weight is None else weight.to(wide),
        None if bias is None else bias.to(wide),
        eps,
    )


def statistics(pooled: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of the last axis as LayerNorm has them, each [batch]."""
    variance, mean = torch.var_mean(
        pooled.to(accumulation_dtype(pooled.dtype)), dim=-1, correction=0
    )
    return mean, (variance + eps).sqrt()
