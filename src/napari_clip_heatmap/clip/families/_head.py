"""The end of a tower: pooling, a last LayerNorm, a linear projection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from einops import einsum
from torch import Tensor, nn

from napari_clip_heatmap.core.attention import layer_norm, statistics
from napari_clip_heatmap.core.tower import HeadStatistics, Tower, accumulation_dtype, block_outputs

__all__ = [
    "LinearHead",
    "Mean",
    "Pooling",
    "Projection",
    "by_token",
    "identity",
    "is_active",
    "is_linearizable",
    "normalize",
    "pool",
    "scale_by_gain",
    "settle_normalized_mean",
    "widen",
]


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


def widen(tensor: Tensor) -> Tensor:
    """Return the tensor in single precision or wider."""
    return tensor.to(accumulation_dtype(tensor.dtype))


def is_active(module: Any) -> bool:
    """Return whether there is a module that changes its input."""
    return module is not None and not isinstance(module, nn.Identity)


def is_linearizable(norm: Any) -> bool:
    """Return whether a norm is absent or a LayerNorm: linear once its deviation is fixed."""
    return not is_active(norm) or isinstance(norm, nn.LayerNorm)


def normalize(norm: Any, stream: Tensor) -> Tensor:
    """Normalize the last axis as the module does, in single precision or wider."""
    if not is_active(norm):
        return widen(stream)
    return layer_norm(stream, norm.weight, norm.bias, norm.eps)


def scale_by_gain(norm: Any, tensor: Tensor, dim: int) -> Tensor:
    """Multiply one axis by the norm's gain, if it has one."""
    if norm.weight is None:
        return tensor
    shape = [1] * tensor.ndim
    shape[dim] = -1
    gain: Tensor = norm.weight
    return tensor * gain.reshape(shape)


Pooling = Callable[[Tensor], Tensor]


def pool(pooling: Pooling | None, stream: Tensor) -> Tensor:
    """Return the pooled token of a stream, [batch, d_model]."""
    if pooling is None:
        return stream[:, 0]
    weights = pooling(stream)
    return einsum(weights, stream.to(weights), "batch token, batch token d -> batch d")


def by_token(pooling: Pooling, stream: Tensor) -> Tensor:
    """Return what each token brings to the pooled one, [batch, token, d_model]."""
    weights = pooling(stream)
    return weights[..., None] * stream.to(weights)


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
