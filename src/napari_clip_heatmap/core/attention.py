"""What one query takes from each token."""

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

    ``q . (W_k x + b_k) = (W_k^T q) . x + q . b_k``: one small product a head in the place of a
    projection of every token. The last term is the same for all tokens, so softmax takes it off.

    Parameters
    ----------
    query : Tensor [batch, head, 1, d_head]
    inputs : Tensor [batch, token, d_model]
        What the keys would be projected from.
    key_weight : Tensor [head * d_head, d_model]
        Plain projection; keys that are normalised afterwards are not linear in the inputs.
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
    probes = ((query.to(wide) * scale) @ by_head)[:, :, 0]  # [batch, head, d_model]
    return (inputs.to(wide) @ probes.mT).softmax(dim=1)


def head_contributions(weights: Tensor, values: Tensor) -> Tensor:
    """Return weight times value vector, [batch, token, head, d_head].

    Parameters
    ----------
    weights : Tensor [batch, token, head]
    values : Tensor [batch, token, head, d_head]
    """
    return values * weights[..., None]  # in this order, heads end up side by side in memory


def layer_norm(stream: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Normalise the last axis, in single precision or wider whatever the weights' type."""
    wide = accumulation_dtype(stream.dtype)
    return F.layer_norm(
        stream.to(wide),
        (stream.shape[-1],),
        None if weight is None else weight.to(wide),
        None if bias is None else bias.to(wide),
        eps,
    )


def statistics(pooled: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Return mean and deviation of the last axis as LayerNorm takes them, each [batch]."""
    variance, mean = torch.var_mean(
        pooled.to(accumulation_dtype(pooled.dtype)), dim=-1, correction=0
    )
    return mean, (variance + eps).sqrt()
