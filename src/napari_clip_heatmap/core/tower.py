"""The interface between the algebra and the families of image towers: one protocol per part.

A family (native open_clip, timm trunk, ...) adapts its image tower to a `Tower`: blocks that run
themselves and return what each token contributes to the pooled query, and a head that maps the
pooled residual stream to the embedding. The algebra needs nothing else.
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
    """Return the dtype to sum in: `dtype`, or single precision if that is half precision."""
    return torch.promote_types(dtype, torch.float32)


@dataclass(frozen=True)
class BlockOutput:
    """What one block adds to the residual stream at the pooled query.

    ``W_O head_contributions`` summed over tokens and heads, plus ``attn_bias``, is the attention
    output of the block at the pooled token. That plus ``mlp_out`` is what the block adds there.

    Parameters
    ----------
    resid_post : Tensor [batch, token, d_model]
        The residual stream after the block; after the last block, of the pooled token alone.
    weights : Tensor [batch, token, head]
        Attention of the pooled query to each token. They sum to 1 over tokens, unless a linearized
        norm between attention and residual stream scales them.
    head_contributions : Tensor [batch, token, head, d_head]
        Weight times value vector, bias included: the input of the output projection.
    attn_bias : Tensor [d_model] or [batch, d_model]
        The part of the attention output that belongs to no token (the output bias).
    mlp_out : Tensor [batch, d_model]
        Output of the block's MLP at the pooled token.
    mlp_by_token : callable() -> Tensor [batch, token, d_model], optional
        What each token's MLP brings to `mlp_out`, which is their sum; computed when called. None
        where the embedding is not a mean over tokens, so that only the pooled token has an MLP.
    """

    resid_post: Tensor
    weights: Tensor
    head_contributions: Tensor
    attn_bias: Tensor
    mlp_out: Tensor
    mlp_by_token: Callable[[], Tensor] | None = None


@dataclass(frozen=True)
class HeadStatistics:
    """Statistics of the last LayerNorm at their actual values; with them frozen, it is affine.

    ``representation = (pooled - mean) / sigma @ head.weight + head.offset``

    Parameters
    ----------
    mean, sigma : Tensor [batch]
        Of the last LayerNorm at the pooled token; 0 and 1 if there is none.
    representation : Tensor [batch, d_embed]
        The image embedding, unnormalized.
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
        """Output projection, including gains that follow it, [d_model, head * d_head]."""

    @property
    def value_bias(self) -> Tensor | None:
        """The part of the value vectors that is the same for all tokens, [head, d_head]."""

    def step(self, residual: Tensor) -> BlockOutput:
        """Run the block for all tokens."""

    def last_step(self, residual: Tensor) -> BlockOutput:
        """Run the block for the pooled query alone: no later block needs the other tokens."""


class Head(Protocol):
    """The map from the pooled residual stream to the image embedding."""

    @property
    def weight(self) -> Tensor:
        """Gain of the last LayerNorm times the final projection, [d_model, d_embed]."""

    @property
    def offset(self) -> Tensor:
        """Shift of the last LayerNorm times the final projection, [d_embed]."""

    @property
    def subtracts_mean(self) -> bool:
        """Whether there is a last LayerNorm; without one, mean is 0 and sigma is 1."""

    def pool(self, residual: Tensor) -> Tensor:
        """Return the pooled token of the residual stream, [batch, d_model]."""

    def read(self, pooled: Tensor) -> HeadStatistics:
        """Return the statistics and the embedding of the pooled token."""


@dataclass(frozen=True)
class Tower:
    """An image tower, in the form that the decomposition needs.

    Parameters
    ----------
    family : str
        Name of the adapter that created it.
    embed : callable
        Maps a preprocessed batch [batch, rgb, y, x] to the residual stream before the first block.
    blocks : tuple of Block
    head : Head
    n_heads, d_model, d_embed : int
    image_size, patch_size : (int, int)
        Height and width of the model's input and of a patch, pixels.
    n_prefix : int
        Number of tokens before the patches (the class token).
    start : callable, optional
        Maps the embedded batch to the pooled query before the first block, [batch, d_model]. By
        default the head pools the embedded tokens. Zero for a head with a learned query.
    settle : callable, optional
        Maps the tower and the embedded batch to a tower whose pooling weights are fixed for this
        batch. Needed where they are known only after the tower has run (a mean over tokens that
        were normalized one by one).
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

    def begin(self, residual: Tensor) -> Tensor:
        """Return the pooled query before the first block, [batch, d_model]."""
        pooled = self.head.pool(residual) if self.start is None else self.start(residual)
        return pooled.to(accumulation_dtype(residual.dtype))

    def settled(self, residual: Tensor) -> Tower:
        """Return the tower with its pooling weights fixed for an embedded batch."""
        return self if self.settle is None else self.settle(self, residual)

    @property
    def n_layers(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    @property
    def n_terms(self) -> int:
        """Number of terms: attention and MLP of each layer, and the input."""
        return 2 * self.n_layers + 1

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        height, width = self.image_size
        return height // self.patch_size[0], width // self.patch_size[1]


def block_outputs(tower: Tower, residual: Tensor) -> Iterator[BlockOutput]:
    """Run an embedded batch through the blocks, the last one for the pooled query alone."""
    if not tower.blocks:
        raise DecompositionError("The image tower has no layers: there is nothing to decompose.")
    *blocks, last = tower.blocks
    for block in blocks:
        output = block.step(residual)
        residual = output.resid_post
        yield output
    yield last.last_step(residual)
