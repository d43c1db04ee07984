"""Which tokens the embedding is pooled from: the class token, or a weighted sum of many.

A pooling is None for the class token, else a function of the stream [batch, token, d_model] to each
token's weight [batch, token].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from einops import einsum
from torch import Tensor

from napari_clip_heatmap.core.attention import statistics
from napari_clip_heatmap.core.tower import Tower, accumulation_dtype, block_outputs

__all__ = ["Mean", "Pooling", "pool", "settle_normalized_mean"]

Pooling = Callable[[Tensor], Tensor]


def pool(pooling: Pooling | None, stream: Tensor) -> Tensor:
    """Return the pooled token of a stream, [batch, d_model]."""
    if pooling is None:
        return stream[:, 0]
    weights = pooling(stream)
    return einsum(weights, stream.to(weights), "batch token, batch token d -> batch d")


@dataclass(frozen=True)
class Mean:
    """The plain mean of all tokens but the first few, which have weight 0.

    Parameters
    ----------
    n_skipped : int
        Tokens at the front that are not pooled.
    """

    n_skipped: int

    def __call__(self, stream: Tensor) -> Tensor:
        weights = stream.new_zeros(stream.shape[:2], dtype=accumulation_dtype(stream.dtype))
        weights[:, self.n_skipped :] = 1 / (stream.shape[1] - self.n_skipped)
        return weights


@dataclass(frozen=True)
class _FixedWeights:
    """Weights that were found for one batch, [batch, token]."""

    weights: Tensor

    def __call__(self, stream: Tensor) -> Tensor:
        return self.weights


def settle_normalized_mean(tower: Tower, stream: Tensor) -> Tower:
    """Return the tower for a mean of tokens that the last norm divides one by one.

    ``mean_i (gamma (x_i - mu_i) / sigma_i + beta)`` weighs token i by ``1 / (N sigma_i)``, and
    ``sigma_i`` is known at the end only: the tower runs twice. Blocks and head of such a tower have
    a field ``pooling``; the head keeps the norm's gain and shift but divides no more.
    """
    for step in block_outputs(tower, stream):
        stream = step.resid_post
    head: Any = tower.head
    _, sigma = statistics(stream, head.norm.eps)
    fixed = _FixedWeights(head.pooling(stream) / sigma)
    blocks: tuple[Any, ...] = tower.blocks
    return replace(
        tower,
        blocks=tuple(replace(block, pooling=fixed) for block in blocks),
        head=replace(head, pooling=fixed, divided=True),
        settle=None,
    )
