"""LayerNorm with its statistics in at least single precision."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_clip_heatmap.core.tower import accumulator

__all__ = ["layer_norm", "statistics"]


def layer_norm(stream: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Normalise the last axis, in single precision or wider whatever the weights' type."""
    wide = accumulator(stream.dtype)
    return F.layer_norm(
        stream.to(wide),
        (stream.shape[-1],),
        None if weight is None else weight.to(wide),
        None if bias is None else bias.to(wide),
        eps,
    )


def statistics(pooled: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Return mean and deviation of the last axis as LayerNorm takes them, each [batch]."""
    variance, mean = torch.var_mean(pooled.to(accumulator(pooled.dtype)), dim=-1, correction=0)
    return mean, (variance + eps).sqrt()
