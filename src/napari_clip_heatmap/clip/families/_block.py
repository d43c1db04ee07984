"""A residual block of a transformer: attention, then an MLP, each with norms where they may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from napari_clip_heatmap.clip.families._attention import Attention, AttentionOutput
from napari_clip_heatmap.clip.families._head import Pooling, by_token, is_active, normalize, pool
from napari_clip_heatmap.core.tower import BlockOutput

__all__ = ["BlockParts", "Mlp", "ResidualBlock"]


@dataclass(frozen=True)
class Mlp:
    """``layer_scale * N_after(module(x))``."""

    module: Any
    norm_after: Any = None
    layer_scale: Tensor | None = None

    def __call__(self, inputs: Tensor) -> Tensor:
        added: Tensor = self.module(inputs)
        if is_active(self.norm_after):
            added = normalize(self.norm_after, added)
        return added if self.layer_scale is None else added * self.layer_scale


@dataclass(frozen=True)
class BlockParts:
    """The parts of a block: ``x + attention(norm_1(x))``, then ``x + mlp(norm_2(x))``."""

    norm_1: Any
    attention: Attention
    norm_2: Any
    mlp: Mlp


@dataclass(frozen=True)
class ResidualBlock:
    """A block of any such family.

    The residual stream is kept in single precision or wider; the matrix products run in the
    precision of their weights.

    Parameters
    ----------
    module : nn.Module
    read : callable
        Finds the module's parts, in each call: weights may be moved, cast or trained.
    pooling : Pooling, optional
        Which queries the embedding is pooled from: the class token's where None.
    """

    module: Any
    read: Callable[[Any], BlockParts]
    pooling: Pooling | None = None

    @property
    def out_weight(self) -> Tensor:
        """Output projection, norms and LayerScale included, [d_model, head * d_head]."""
        return self.read(self.module).attention.out_weight

    @property
    def value_bias(self) -> Tensor | None:
        """Bias of the values, head scale included, [head, d_head]."""
        return self.read(self.module).attention.value_bias

    def step(self, stream: Tensor) -> BlockOutput:
        """Run the block for all tokens."""
        parts = self.read(self.module)
        pooling = None if self.pooling is None else self.pooling(stream)
        attention = parts.attention.attend(normalize(parts.norm_1, stream), pooling)
        return self._finish(parts, stream, attention)

    def last_step(self, stream: Tensor) -> BlockOutput:
        """Run the block for the pooled query alone; keys and values are of all tokens."""
        if self.pooling is not None:
            return self.step(stream)
        parts = self.read(self.module)
        attention = parts.attention.attend_first(normalize(parts.norm_1, stream))
        return self._finish(parts, stream[:, :1], attention)

    def _finish(self, parts: BlockParts, stream: Tensor, attention: AttentionOutput) -> BlockOutput:
        """Add what attention gave to the stream, and run the MLP."""
        stream = stream + parts.attention.added(attention.head_outputs)
        inputs = normalize(parts.norm_2, stream).to(parts.attention.dtype)
        mlp = parts.mlp(inputs).to(stream.dtype)
        return BlockOutput(
            resid_post=stream + mlp,
            weights=attention.weights,
            head_contributions=attention.contributions,
            attn_bias=parts.attention.pooled_bias(attention),
            mlp_out=pool(self.pooling, mlp),
            mlp_by_token=None if self.pooling is None else partial(by_token, self.pooling, mlp),
        )
