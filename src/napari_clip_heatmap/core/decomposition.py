"""The full tensor: the share of every layer, token and head in the unit image embedding.

Derived from the same pass as the token map. The mean and shift of the last LayerNorm are frozen at
their actual value, so every term of the residual stream has an exact image in the joint space
(arXiv 2310.05916, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import einsum, rearrange
from torch import Tensor
from torch.nn import functional as F

from napari_clip_heatmap.core.convention import (
    Convention,
    LinearizedHead,
    bias_contribution_by_head,
    linearize_head,
    token_contributions,
)
from napari_clip_heatmap.core.selection import Selection
from napari_clip_heatmap.core.tower import Block, BlockOutput, HeadStatistics, Tower, block_outputs
from napari_clip_heatmap.errors import DecompositionError

__all__ = ["Decomposition", "decompose"]


@dataclass(frozen=True)
class Decomposition:
    """Shares of the unit image embedding; dotted with a unit text direction, of the cosine.

    ``attention`` summed over layers, tokens and heads, plus ``mlp`` summed over its terms, plus
    ``unselected``, is ``representation / |representation|``.

    Parameters
    ----------
    attention : Tensor [batch, layer, token, head, d_embed]
        Of the layers and heads chosen, in that order; token 0 is the class token, zero where the
        tower has none, and the patches come last.
    mlp : Tensor [batch, layer + 1, d_embed]
        The input embedding first, then the MLP of every layer of the model.
    unselected : Tensor [batch, d_embed]
        Attention of the layers and heads not chosen, in one sum; zero if all were.
    representation : Tensor [batch, d_embed]
        The image embedding, un-normalised.
    selection : Selection
        Which layers and heads `attention` holds.
    convention : Convention
        How the parts that belong to no token were shared out.
    grid : (int, int)
        Rows and columns of patches.
    """

    attention: Tensor
    mlp: Tensor
    unselected: Tensor
    representation: Tensor
    selection: Selection
    convention: Convention
    grid: tuple[int, int]

    def __post_init__(self) -> None:
        batch, d_embed = self.representation.shape
        layers, heads = len(self.selection.layers), len(self.selection.heads)
        n_tokens = self.attention.shape[2] if self.attention.ndim == 5 else -1
        expected = (batch, layers, n_tokens, heads, d_embed)
        if tuple(self.attention.shape) != expected or n_tokens < self.grid[0] * self.grid[1]:
            raise DecompositionError(
                "A decomposition is [batch, layer, token, head, d_embed], here with batch "
                f"{batch}, {layers} layers, {heads} heads and d_embed {d_embed}; got "
                f"{tuple(self.attention.shape)}."
            )

    @property
    def total(self) -> Tensor:
        """Sum of all parts, [batch, d_embed]: the unit image embedding, if nothing is missing."""
        return self.attention.sum(dim=(1, 2, 3)) + self.mlp.sum(dim=1) + self.unselected


def decompose(
    tower: Tower, batch: Tensor, selection: Selection, convention: Convention
) -> Decomposition:
    """Run the tower once and return the shares of the chosen layers and heads; differentiable.

    Parameters
    ----------
    tower : Tower
    batch : Tensor [batch, rgb, y, x]
        Preprocessed images.
    selection : Selection
    convention : Convention
    """
    stream = tower.embed(batch)
    tower = tower.settled(stream)
    pooled = tower.begin(stream)
    direct, others, kept = [pooled], torch.zeros_like(pooled), []
    for number, (block, step) in enumerate(
        zip(tower.blocks, block_outputs(tower, stream), strict=True)
    ):
        heads = selection.heads if number in selection.layers else ()
        layer = _Layer.of(block, step, convention, tower.n_heads)
        kept.append(layer.only(heads))
        others = others + layer.without(heads)
        direct.append(step.mlp_out)
        stream = step.resid_post
    reading = tower.head.read(tower.head.pool(stream))
    head = linearize_head(tower.head, convention)
    terms = tower.n_terms
    n_unselected = tower.n_layers - len(selection.layers) * len(selection.heads) / tower.n_heads
    return Decomposition(
        attention=_attention(kept, selection, head, reading, tower),
        mlp=head.project(torch.stack(direct, dim=1), reading, 1 / terms),
        unselected=head.project(others, reading, n_unselected / terms),
        representation=reading.representation,
        selection=selection,
        convention=convention,
        grid=tower.grid,
    )


@dataclass(frozen=True)
class _Layer:
    """One layer's attention, before it goes through output projection and head.

    Parameters
    ----------
    shares : Tensor [batch, token, head, d_head]
    constant : Tensor [batch or 1, head, d_model]
        What no token brought.
    out : Tensor [head, d_head, d_model]
        Output projection of each head.
    """

    shares: Tensor
    constant: Tensor
    out: Tensor

    @classmethod
    def of(cls, block: Block, step: BlockOutput, convention: Convention, n_heads: int) -> _Layer:
        out = block.out_weight.to(step.head_contributions.dtype)
        return cls(
            token_contributions(block, step, convention),
            bias_contribution_by_head(block, step, convention, n_heads),
            rearrange(out, "d_model (head d_head) -> head d_head d_model", head=n_heads),
        )

    def only(self, heads: tuple[int, ...]) -> _Layer:
        chosen = list(heads)
        return _Layer(self.shares[:, :, chosen], self.constant[:, chosen], self.out[chosen])

    def without(self, heads: tuple[int, ...]) -> Tensor:
        """Return what the other heads add to the stream, tokens summed, [batch, d_model]."""
        rest = self.only(tuple(h for h in range(len(self.out)) if h not in heads))
        added = einsum(
            rest.shares.sum(dim=1), rest.out, "batch head d, head d d_model -> batch d_model"
        )
        return added + rest.constant.sum(dim=1)


def _attention(
    kept: list[_Layer],
    selection: Selection,
    head: LinearizedHead,
    reading: HeadStatistics,
    tower: Tower,
) -> Tensor:
    """Return [batch, layer, token, head, d_embed] of the layers and heads chosen."""
    batch, n_tokens = kept[0].shares.shape[:2]
    part = 1 / (tower.n_terms * n_tokens * tower.n_heads)
    terms = []
    for layer in (kept[number] for number in selection.layers):
        folded = layer.out @ head.weight  # [head, d_head, d_embed]
        projected = einsum(
            layer.shares, folded, "batch token head d, head d out -> batch token head out"
        )
        constant = (layer.constant @ head.weight)[:, None] / n_tokens
        terms.append(head.apply_norm(projected + constant, reading, part))
    if terms:
        attention = torch.stack(terms, dim=1)
    else:
        attention = head.weight.new_zeros(batch, 0, n_tokens, len(selection.heads), tower.d_embed)
    if not tower.n_prefix:  # token 0 is the class token's place, also in a tower that has none
        attention = F.pad(attention, (0, 0, 0, 0, 1, 0))
    return attention
