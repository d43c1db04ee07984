"""The end of a tower: pooling, a last LayerNorm, a linear projection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from napari_clip_heatmap.clip.families._norms import normed, present, wide
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
    return Projection(wide(like).new_ones(size).diag())


@dataclass(frozen=True)
class LinearHead:
    """The pooled token through a norm and a projection.

    Whether the norm comes before the pooling or after it is the same for a single pooled token.

    Parameters
    ----------
    norm : nn.LayerNorm or nn.Identity or None
    project : callable
        Reads the projection, each time anew: weights may be moved, cast or trained.
    pooling : Pooling, optional
        The class token where None.
    divided : bool
        Whether the pooling has divided by the norm's deviations already (see `normalised_mean`).
    """

    norm: Any
    project: Callable[[], Projection]
    pooling: Pooling | None = None
    divided: bool = False

    @property
    def weight(self) -> Tensor:
        """Gain of the last norm times projection, [d_model, d_embed]."""
        projection = wide(self.project().weight)
        gain = getattr(self.norm, "weight", None)
        return projection if gain is None else wide(gain)[:, None] * projection

    @property
    def offset(self) -> Tensor:
        """Shift of the last norm through the projection, and the projection's bias, [d_embed]."""
        projection = self.project()
        weight, shift = wide(projection.weight), getattr(self.norm, "bias", None)
        offset = weight.new_zeros(weight.shape[1]) if shift is None else wide(shift) @ weight
        return offset if projection.bias is None else offset + projection.bias

    @property
    def subtracts_mean(self) -> bool:
        """Whether there is a norm."""
        return present(self.norm)

    def pool(self, stream: Tensor) -> Tensor:
        """Return the pooled token, [batch, d_model]."""
        return pool(self.pooling, stream)

    def read(self, pooled: Tensor) -> HeadStatistics:
        """Return the last norm's statistics and the embedding."""
        pooled = wide(pooled)
        if self.divided:
            mean, one = pooled.mean(dim=-1), pooled.new_ones(len(pooled))
            return HeadStatistics(mean, one, (pooled - mean[:, None]) @ self.weight + self.offset)
        if present(self.norm):
            mean, sigma = statistics(pooled, self.norm.eps)
        else:
            mean, sigma = pooled.new_zeros(len(pooled)), pooled.new_ones(len(pooled))
        projection = self.project()
        embedding = normed(self.norm, pooled) @ wide(projection.weight)
        if projection.bias is not None:
            embedding = embedding + wide(projection.bias)
        return HeadStatistics(mean, sigma, embedding)
