"""The end of a tower: pooling, a last LayerNorm, a linear projection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from napari_clip_heatmap.clip.families._norms import is_active, normalize, widen
from napari_clip_heatmap.clip.families._pooling import Pooling, pool
from napari_clip_heatmap.core.attention import statistics
from napari_clip_heatmap.core.tower import HeadStatistics

__all__ = ["LinearHead", "Projection", "identity"]


@dataclass(frozen=True)
class Projection:
    """``x @ weight + bias``; weight [d_model, d_embed]."""

    weight: Tensor
    bias: Tensor | None = None


def identity(like: Tensor, size: int) -> Projection:
    """Return the projection of a head that has none, where and as wide as a tensor is."""
    return Projection(widen(like).new_ones(size).diag())


@dataclass(frozen=True)
class LinearHead:
    """The pooled token through a norm and a projection.

    Whether the norm comes before the pooling or after it is the same for a single pooled token.

    Parameters
    ----------
    norm : nn.LayerNorm or nn.Identity or None
    project : callable
        Reads the projection, in each call: weights may be moved, cast or trained.
    pooling : Pooling, optional
        The class token where None.
    divided : bool
        Whether the pooling divides by the norm's deviations (see `settle_normalized_mean`).
    """

    norm: Any
    project: Callable[[], Projection]
    pooling: Pooling | None = None
    divided: bool = False

    @property
    def weight(self) -> Tensor:
        """Gain of the last norm times projection, [d_model, d_embed]."""
        projection = widen(self.project().weight)
        gain = getattr(self.norm, "weight", None)
        return projection if gain is None else widen(gain)[:, None] * projection

    @property
    def offset(self) -> Tensor:
        """Shift of the last norm through the projection, and the projection's bias, [d_embed]."""
        projection = self.project()
        weight, shift = widen(projection.weight), getattr(self.norm, "bias", None)
        offset = weight.new_zeros(weight.shape[1]) if shift is None else widen(shift) @ weight
        return offset if projection.bias is None else offset + projection.bias

    @property
    def subtracts_mean(self) -> bool:
        """Whether there is a norm."""
        return is_active(self.norm)

    def pool(self, stream: Tensor) -> Tensor:
        """Return the pooled token, [batch, d_model]."""
        return pool(self.pooling, stream)

    def read(self, pooled: Tensor) -> HeadStatistics:
        """Return the last norm's statistics and the embedding."""
        pooled = widen(pooled)
        if self.divided:
            mean, one = pooled.mean(dim=-1), pooled.new_ones(len(pooled))
            return HeadStatistics(mean, one, (pooled - mean[:, None]) @ self.weight + self.offset)
        if is_active(self.norm):
            mean, sigma = statistics(pooled, self.norm.eps)
        else:
            mean, sigma = pooled.new_zeros(len(pooled)), pooled.new_ones(len(pooled))
        projection = self.project()
        embedding = normalize(self.norm, pooled) @ widen(projection.weight)
        if projection.bias is not None:
            embedding = embedding + widen(projection.bias)
        return HeadStatistics(mean, sigma, embedding)
