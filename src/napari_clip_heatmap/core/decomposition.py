"""The full decomposition: the contribution of each layer, token and head to the image embedding.

It takes the same forward pass as the token map. The statistics of the last LayerNorm are frozen at
their actual values, so every term of the residual stream maps exactly into the joint space
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
from napari_clip_heatmap.errors import DecompositionError, shown_value
from napari_clip_heatmap.validation import instance, integer, refuse

__all__ = ["Decomposition", "decompose"]


@dataclass(frozen=True)
class Decomposition:
    """Contributions to the unit image embedding; dotted with a unit text direction, to the cosine.

    ``attention`` summed over layers, tokens and heads, plus ``mlp`` summed over its terms, plus
    ``unselected``, is ``representation / |representation|``.

    Parameters
    ----------
    attention : Tensor [batch, layer, token, head, d_embed]
        Of the selected layers and heads, in that order. Token 0 is the class token, zero if the
        tower has none; the patches come last.
    mlp : Tensor [batch, layer + 1, d_embed]
        The input embedding first, then the MLP of every layer of the model.
    unselected : Tensor [batch, d_embed]
        Sum over the attention of all other layers and heads; zero if all are selected.
    representation : Tensor [batch, d_embed]
        The image embedding, unnormalized.
    selection : Selection
        Which layers and heads `attention` holds.
    convention : Convention
        How the parts that belong to no token were split.
    grid : (int, int)
        Rows and columns of patches.

    Raises
    ------
    DecompositionError
        A part has another type or shape than the others ask for.

    Examples
    --------
    >>> parts = nch.decompose(model, batch, layers=["L4"], heads=["H0", "H7"])
    >>> parts.selection.labels
    (('L4H0', 'L4H7'),)
    >>> (parts.attention @ model.encode_text(["nuclei"])[0]).shape
    torch.Size([1, 1, 145, 2])
    """

    attention: Tensor
    mlp: Tensor
    unselected: Tensor
    representation: Tensor
    selection: Selection
    convention: Convention
    grid: tuple[int, int]

    def __post_init__(self) -> None:
        error = DecompositionError
        instance("selection", self.selection, Selection, "a Selection, from `select`", error)
        instance("convention", self.convention, Convention, "a Convention", error)
        grid = tuple(integer("grid", each, 1, 2**31, error) for each in _pair(self.grid))
        batch, d_embed = _shape("representation", self.representation, 2)
        n_tokens = _shape("attention", self.attention, 5)[2]
        n_terms = _shape("mlp", self.mlp, 3)[1]
        n_layers, n_heads = len(self.selection.layers), len(self.selection.heads)
        for name, expected in (
            ("attention", (batch, n_layers, n_tokens, n_heads, d_embed)),
            ("mlp", (batch, n_terms, d_embed)),
            ("unselected", (batch, d_embed)),
        ):
            if (got := _shape(name, getattr(self, name), len(expected))) != expected:
                raise DecompositionError(
                    f"{name} has the shape {got}; accepted: {expected}, as representation is "
                    f"(batch {batch}, d_embed {d_embed}) and {n_layers} layers and {n_heads} heads "
                    "are selected"
                )
        if n_tokens < grid[0] * grid[1]:
            raise DecompositionError(
                f"attention has {n_tokens} tokens; accepted: at least one per patch of the grid "
                f"{grid}"
            )
        if n_terms <= max(self.selection.layers, default=0):
            raise DecompositionError(
                f"mlp has {n_terms} terms; accepted: one more than the model has layers, of which "
                f"layer {max(self.selection.layers, default=0)} is selected"
            )

    def __repr__(self) -> str:
        batch, n_layers, n_tokens, n_heads, d_embed = self.attention.shape
        return (
            f"Decomposition(batch={batch}, layers={n_layers}, tokens={n_tokens}, heads={n_heads}, "
            f"d_embed={d_embed}, convention={str(self.convention)!r})"
        )

    @property
    def total(self) -> Tensor:
        """Sum of all contributions, [batch, d_embed]: equal to the unit image embedding."""
        return self.attention.sum(dim=(1, 2, 3)) + self.mlp.sum(dim=1) + self.unselected


def _pair(grid: object) -> tuple[object, object]:
    """Return the rows and columns of a grid."""
    if not isinstance(grid, tuple) or len(grid) != 2:
        raise refuse("grid", grid, "(rows, columns) of patches", DecompositionError)
    return grid[0], grid[1]


def _shape(name: str, tensor: object, n_axes: int) -> tuple[int, ...]:
    """Return the shape of a floating tensor of so many axes."""
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point() or tensor.ndim != n_axes:
        got = (
            f"a {tensor.dtype} tensor of shape {tuple(tensor.shape)}"
            if isinstance(tensor, Tensor)
            else shown_value(tensor)
        )
        raise DecompositionError(f"{name} is {got}; accepted: a floating tensor of {n_axes} axes")
    return tuple(tensor.shape)


def decompose(
    tower: Tower, batch: Tensor, selection: Selection, convention: Convention
) -> Decomposition:
    """Run the tower once and return the contributions of the selected layers and heads.

    The result is differentiable.

    Parameters
    ----------
    tower : Tower
    batch : Tensor [batch, rgb, y, x]
        Preprocessed images.
    selection : Selection
    convention : Convention
    """
    residual = tower.embed(batch)
    tower = tower.settled(residual)
    embedded = tower.begin(residual)
    direct, unselected, layers = [embedded], torch.zeros_like(embedded), []
    for number, (block, output) in enumerate(
        zip(tower.blocks, block_outputs(tower, residual), strict=True)
    ):
        heads = selection.heads if number in selection.layers else ()
        layer = _LayerAttention.of(block, output, convention, tower.n_heads)
        layers.append(layer.only(heads))
        unselected = unselected + layer.sum_without(heads)
        direct.append(output.mlp_out)
        residual = output.resid_post
    statistics = tower.head.read(tower.head.pool(residual))
    head = linearize_head(tower.head, convention)
    n_terms = tower.n_terms
    n_unselected = tower.n_layers - len(selection.layers) * len(selection.heads) / tower.n_heads
    return Decomposition(
        attention=_project_attention(layers, selection, head, statistics, tower),
        mlp=head.project(torch.stack(direct, dim=1), statistics, 1 / n_terms),
        unselected=head.project(unselected, statistics, n_unselected / n_terms),
        representation=statistics.representation,
        selection=selection,
        convention=convention,
        grid=tower.grid,
    )


@dataclass(frozen=True)
class _LayerAttention:
    """Attention of one layer, before output projection and head are applied.

    Parameters
    ----------
    contributions : Tensor [batch, token, head, d_head]
    bias : Tensor [batch or 1, head, d_model]
        The part that belongs to no token.
    out_weight : Tensor [head, d_head, d_model]
        Output projection of each head.
    """

    contributions: Tensor
    bias: Tensor
    out_weight: Tensor

    @classmethod
    def of(
        cls, block: Block, output: BlockOutput, convention: Convention, n_heads: int
    ) -> _LayerAttention:
        out_weight = block.out_weight.to(output.head_contributions.dtype)
        return cls(
            token_contributions(block, output, convention),
            bias_contribution_by_head(block, output, convention, n_heads),
            rearrange(out_weight, "d_model (head d_head) -> head d_head d_model", head=n_heads),
        )

    def only(self, heads: tuple[int, ...]) -> _LayerAttention:
        index = list(heads)
        return _LayerAttention(
            self.contributions[:, :, index], self.bias[:, index], self.out_weight[index]
        )

    def sum_without(self, heads: tuple[int, ...]) -> Tensor:
        """Return the sum over tokens and all heads but these, [batch, d_model]."""
        others = self.only(tuple(h for h in range(len(self.out_weight)) if h not in heads))
        projected = einsum(
            others.contributions.sum(dim=1),
            others.out_weight,
            "batch head d, head d d_model -> batch d_model",
        )
        return projected + others.bias.sum(dim=1)


def _project_attention(
    layers: list[_LayerAttention],
    selection: Selection,
    head: LinearizedHead,
    statistics: HeadStatistics,
    tower: Tower,
) -> Tensor:
    """Return the selected attention in the joint space, [batch, layer, token, head, d_embed]."""
    batch, n_tokens = layers[0].contributions.shape[:2]
    fraction = 1 / (tower.n_terms * n_tokens * tower.n_heads)
    terms = []
    for layer in (layers[number] for number in selection.layers):
        folded = layer.out_weight @ head.weight  # [head, d_head, d_embed]
        projected = einsum(
            layer.contributions, folded, "batch token head d, head d out -> batch token head out"
        )
        bias = (layer.bias @ head.weight)[:, None] / n_tokens
        terms.append(head.apply_norm(projected + bias, statistics, fraction))
    if terms:
        attention = torch.stack(terms, dim=1)
    else:
        attention = head.weight.new_zeros(batch, 0, n_tokens, len(selection.heads), tower.d_embed)
    if not tower.n_prefix:  # token 0 is reserved for the class token even if there is none
        attention = F.pad(attention, (0, 0, 0, 0, 1, 0))
    return attention
