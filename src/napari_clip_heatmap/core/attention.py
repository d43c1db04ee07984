"""What one query takes from each token."""

from __future__ import annotations

from einops import rearrange
from torch import Tensor

from napari_clip_heatmap.core.tower import accumulator

__all__ = ["pooled_weights", "token_shares"]


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
    wide = accumulator(query.dtype)
    scores = (query.to(wide) * scale) @ keys.to(wide).mT  # [batch, head, 1, token]
    return rearrange(scores.softmax(dim=-1), "batch head 1 token -> batch token head")


def token_shares(weights: Tensor, values: Tensor) -> Tensor:
    """Return weight times value vector, [batch, token, head, d_head].

    Parameters
    ----------
    weights : Tensor [batch, token, head]
    values : Tensor [batch, token, head, d_head]
    """
    return values * weights[..., None]  # in this order, heads end up side by side in memory
