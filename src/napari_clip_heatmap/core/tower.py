"""The seam between the algebra and the families of image towers: one protocol a part.

A family (native open_clip, timm trunk, ...) is an adapter that shows its tower as a `Tower`: blocks
that run themselves and tell what the pooled query took from each token, and a head that tells how
the pooled residual stream becomes the embedding. The algebra asks for nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from napari_clip_heatmap.errors import DecompositionError

__all__ = [
    "Block",
    "BlockOutput",
    "Head",
    "HeadStatistics",
    "Tower",
    "accumulation_dtype",
    "block_outputs",
]


def accumulation_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the type to sum in: `dtype`, but never half precision."""
    return torch.promote_types(dtype, torch.float32)


@dataclass(frozen=True)
class BlockOutput:
    """What one block did to the residual stream, as the pooled query saw it.

    ``W_O shares + constant`` summed over tokens and heads is the block's attention output at the
    pooled token; that and ``mlp_out`` are what the block added there.

    Parameters
    ----------
    resid_post : Tensor [batch, token, d_model]
        The residual stream after the block; the pooled token alone after the last one.
    weights : Tensor [batch, token, head]
        How much the pooled query attended to each token. They sum to 1 over tokens, unless a norm
        between attention and residual stream is linearised: its rate is in them.
    head_contributions : Tensor [batch, token, head, d_head]
        Weight times value vector, bias included: what goes into the output projection.
    attn_bias : Tensor [d_model] or [batch, d_model]
        The part of the attention output that belongs to no token (the output bias).
    mlp_out : Tensor [batch, d_model]
        Output of the block's MLP at the pooled token.
    """

    resid_post: Tensor
    weights: Tensor
    head_contributions: Tensor
    attn_bias: Tensor
    mlp_out: Tensor


@dataclass(frozen=True)
class HeadStatistics:
    """The head's statistics at their actual value: with them frozen, the head is affine.

    ``representation = (pooled - mean) / sigma @ head.weight + head.offset``

    Parameters
    ----------
    mean, sigma : Tensor [batch]
        Of the last LayerNorm at the pooled token; 0 and 1 where there is none.
    representation : Tensor [batch, d_embed]
        The image embedding, un-normalised.
    """

    mean: Tensor
    sigma: Tensor
    representation: Tensor

    @property
    def length(self) -> Tensor:
        """Norm of the representation, [batch]."""
        length: Tensor = torch.linalg.vector_norm(self.representation, dim=-1)
        return length


class Block(Protocol):
    """One layer of the tower."""

    @property
    def out_weight(self) -> Tensor:
        """Output projection, gains after it included, [d_model, head * d_head]."""

    @property
    def value_bias(self) -> Tensor | None:
        """The part of every value vector that no token changes, [head, d_head]."""

    def step(self, stream: Tensor) -> BlockOutput:
        """Run the block for all tokens."""

    def last_step(self, stream: Tensor) -> BlockOutput:
        """Run the block for the pooled query alone: nothing after it needs the other tokens."""


class Head(Protocol):
    """From the pooled residual stream to the image embedding."""

    @property
    def weight(self) -> Tensor:
        """Last LayerNorm's gain times final projection, [d_model, d_embed]."""

    @property
    def offset(self) -> Tensor:
        """Last LayerNorm's shift through the final projection, [d_embed]."""

    @property
    def subtracts_mean(self) -> bool:
        """Whether there is a last LayerNorm; without one, the mean is 0 and sigma 1."""

    def pool(self, stream: Tensor) -> Tensor:
        """Return the pooled token of a residual stream, [batch, d_model]."""

    def read(self, pooled: Tensor) -> HeadStatistics:
        """Return the head's statistics and the embedding of the pooled token."""


@dataclass(frozen=True)
class Tower:
    """An image tower as the decomposition needs to see it.

    Parameters
    ----------
    family : str
        Which adapter made it.
    embed : callable
        Preprocessed batch [batch, rgb, y, x] to the stream before the first block.
    blocks : tuple of Block
    head : Head
    n_heads, d_model, d_embed : int
    image_size, patch_size : (int, int)
        Height and width in pixels of the model's input.
    n_prefix : int
        Tokens that stand before the patches (the class token).
    start : callable, optional
        The embedded stream to what the pooled query holds before the first block, [batch, d_model];
        by default what the head pools of it. A head whose query is no token starts with nothing.
    settle : callable, optional
        Tower and embedded stream to the same tower with each token's weight in the pooling fixed
        for this batch, where the weights are known only once the tower has run (a mean of tokens
        that were normalised one by one).
    """

    family: str
    embed: Callable[[Tensor], Tensor]
    blocks: tuple[Block, ...]
    head: Head
    n_heads: int
    d_model: int
    d_embed: int
    image_size: tuple[int, int]
    patch_size: tuple[int, int]
    n_prefix: int = 1
    start: Callable[[Tensor], Tensor] | None = None
    settle: Callable[[Tower, Tensor], Tower] | None = None

    def begin(self, stream: Tensor) -> Tensor:
        """Return what the pooled query holds before the first block, [batch, d_model]."""
        pooled = self.head.pool(stream) if self.start is None else self.start(stream)
        return pooled.to(accumulation_dtype(stream.dtype))

    def settled(self, stream: Tensor) -> Tower:
        """Return the tower with the pooling fixed for the batch that was embedded."""
        return self if self.settle is None else self.settle(self, stream)

    @property
    def n_layers(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    @property
    def n_terms(self) -> int:
        """Terms among which the authors split what belongs to none: 2 a layer, and the input."""
        return 2 * self.n_layers + 1

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        height, width = self.image_size
        return height // self.patch_size[0], width // self.patch_size[1]


def block_outputs(tower: Tower, stream: Tensor) -> Iterator[BlockOutput]:
    """Run the embedded stream through the blocks, the last one for the pooled query alone."""
    if not tower.blocks:
        raise DecompositionError("The image tower has no layers: there is nothing to decompose.")
    *blocks, last = tower.blocks
    for block in blocks:
        step = block.step(stream)
        stream = step.resid_post
        yield step
    yield last.last_step(stream)
