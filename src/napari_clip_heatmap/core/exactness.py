"""The self-check: the contributions to an image's embedding must sum to that embedding."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_clip_heatmap.core.token_map import Fold, TokenMap, token_map
from napari_clip_heatmap.core.tower import Tower
from napari_clip_heatmap.errors import DecompositionError

__all__ = ["TOLERANCE", "decomposition_error", "relative_error", "require_exact"]

TOLERANCE = {
    torch.float64: 1e-10,
    torch.float32: 1e-5,
    torch.bfloat16: 5e-2,
    torch.float16: 1e-2,
}
"""Largest accepted relative error, by the dtype of the weights.

In half precision the error is the rounding of the model's own forward pass, not of the sum.
"""


def relative_error(tower: Tower, batch: Tensor, folded: Fold, embedding: Tensor) -> float:
    """Return the distance from the sum of all contributions to the embedding, over its norm.

    Parameters
    ----------
    tower : Tower
    batch : Tensor [batch, rgb, y, x]
    folded : Fold
        Of this tower, without text directions.
    embedding : Tensor [batch, d_embed]
        The model's own embedding of the batch, unnormalized.

    Returns
    -------
    float
        The largest of the batch; infinite where a contribution or the embedding is not finite.
    """
    return decomposition_error(token_map(tower, batch, folded), embedding)


def decomposition_error(token_map: TokenMap, embedding: Tensor) -> float:
    """Return `relative_error` of a token map that was computed before."""
    expected = embedding.to(token_map.rest)
    length = expected.norm(dim=-1, keepdim=True)
    if not length.isfinite().all():  # dividing by an infinite norm would hide every error
        return math.inf
    errors = [
        (token_map.total - expected / length).norm(dim=-1).max().item(),
        ((token_map.representation - expected) / length).norm(dim=-1).max().item(),
    ]
    return max(math.inf if math.isnan(error) else error for error in errors)


def require_exact(relative_error: float, dtype: torch.dtype) -> None:
    """Raise if a relative error exceeds the tolerance for the dtype of the weights.

    Raises
    ------
    DecompositionError
        With the size of the error.
    """
    tolerance = TOLERANCE[dtype]
    if not relative_error <= tolerance:
        raise DecompositionError(
            "The contributions to a probe image's embedding do not sum to it: the relative error "
            f"is {relative_error:.2g}, above the tolerance of {tolerance:.0e} for {dtype}. The "
            "image tower computes something that its decomposition leaves out, so its heatmaps "
            "would be wrong."
        )
