"""The promise, checked: the parts of an image's embedding sum to it."""

from __future__ import annotations

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
"""Largest accepted gap by the type of the weights.

In half precision the model's own forward is that far from itself, not the sum.
"""


def relative_error(tower: Tower, batch: Tensor, folded: Fold, embedding: Tensor) -> float:
    """Return how far the sum of all parts is from the embedding, relative to its length.

    Parameters
    ----------
    tower : Tower
    batch : Tensor [batch, rgb, y, x]
    folded : Fold
        Of this tower, without directions.
    embedding : Tensor [batch, d_embed]
        What the model itself makes of the batch, un-normalised.

    Returns
    -------
    float
        The largest over the batch; infinite where either is not finite.
    """
    return decomposition_error(token_map(tower, batch, folded), embedding)


def decomposition_error(answer: TokenMap, embedding: Tensor) -> float:
    """Return `relative_error` of a token map that was made already."""
    expected = embedding.to(answer.rest)
    length = expected.norm(dim=-1, keepdim=True)
    gaps = [
        (answer.total - expected / length).norm(dim=-1).max().item(),
        ((answer.representation - expected) / length).norm(dim=-1).max().item(),
    ]
    return max(each if each == each else float("inf") for each in gaps)


def require_exact(relative_error: float, dtype: torch.dtype) -> None:
    """Raise if a gap is over the tolerance of the weights' type.

    Raises
    ------
    DecompositionError
        With the size of the gap.
    """
    tolerance = TOLERANCE[dtype]
    if not relative_error <= tolerance:
        raise DecompositionError(
            "The parts of a probe image's embedding do not sum to it: the relative error is "
            f"{relative_error:.2g}, over the tolerance of {tolerance:.0e} for {dtype}. The image "
            "tower does something that its decomposition leaves out, so its heatmaps would be "
            "wrong."
        )
