"""The token map: the contribution of each patch to the embedding, at the cost of a forward pass.

``T_n = sum_l s_l,n M_l / (sigma |z|)`` plus a constant. ``s_l,n`` is attention weight times value
vector of token n in layer l, with the heads concatenated, and ``M_l = W_O,l^T diag(gamma) P`` is
computed once per model (arXiv 2310.05916, rearranged so that no per-head tensor is built).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from napari_clip_heatmap.core.convention import (
    Convention,
    LinearizedHead,
    bias_contribution,
    linearize_head,
    token_contributions,
)
from napari_clip_heatmap.core.tower import Block, BlockOutput, HeadStatistics, Tower, block_outputs
from napari_clip_heatmap.errors import DecompositionError, shorten

__all__ = [
    "BUDGET",
    "Fold",
    "TokenMap",
    "find_outliers",
    "fold",
    "inpaint_outliers",
    "input_by_token",
    "require_factor",
    "resolved_mlp",
    "token_map",
]


BUDGET = 42_000_000
"""Bytes for folded layers: all of ViT-B-16 (19 MB), 13 of the 24 layers of ViT-L-14 (3 MB each)."""


@dataclass(frozen=True)
class TokenMap:
    """The contribution of each patch to the unit image embedding.

    Parameters
    ----------
    tokens : Tensor [batch, grid_y, grid_x, d_embed]
        Summed over layers and heads; dotted with a unit text direction, a contribution to the
        cosine similarity. With folded directions, the last axis is the prompt and the unit cosine.
    representation : Tensor [batch, d_embed]
        The image embedding, unnormalized.
    rest : Tensor [batch, d_embed]
        Everything else: class token, MLPs, input, as far as they are not resolved by token.
        ``tokens`` summed over the grid, plus ``rest``,
        is ``representation / |representation|`` (dotted with the directions, if folded).
    """

    tokens: Tensor
    representation: Tensor
    rest: Tensor

    def __post_init__(self) -> None:
        batch, out = self.rest.shape
        if self.tokens.ndim != 4 or (self.tokens.shape[0], self.tokens.shape[-1]) != (batch, out):
            raise DecompositionError(
                f"A token map is [batch, grid_y, grid_x, d_embed], here with batch {batch} and "
                f"d_embed {out}; got {tuple(self.tokens.shape)}."
            )

    @property
    def total(self) -> Tensor:
        """Sum of all contributions, [batch, d_embed]: equal to the unit image embedding."""
        return self.tokens.sum(dim=(1, 2)) + self.rest


@dataclass(frozen=True)
class Fold:
    """Output projection and head of each layer, multiplied into one matrix.

    Parameters
    ----------
    convention : Convention
    layers : tuple of Tensor [head * d_head, d_embed] or None
        ``W_O^T diag(gamma) P`` of each layer; None beyond the memory budget, where output
        projection and head are applied one after the other.
    linearized_head : LinearizedHead
        The head alone, for the terms that do not come from attention.
    """

    convention: Convention
    layers: tuple[Tensor | None, ...]
    linearized_head: LinearizedHead


def fold(
    tower: Tower,
    convention: Convention = Convention.REFERENCE,
    directions: Tensor | None = None,
    *,
    budget: int = BUDGET,
) -> Fold:
    """Multiply output projections and head, once per model; differentiable.

    Parameters
    ----------
    tower : Tower
    convention : Convention
    directions : Tensor [prompt, d_embed], optional
        Unit text directions to fold in as well. The token map is then one heatmap per prompt, and
        costs less; for prompts that are known before the image is encoded.
    budget : int
        Bytes for the folded layers; layers beyond it are not folded.
    """
    head = linearize_head(tower.head, convention)
    if directions is not None:
        head = head.along(directions)
    n_folded = budget // (head.weight.numel() * head.weight.element_size())
    layers = tuple(
        block.out_weight.to(head.weight).mT @ head.weight if number < n_folded else None
        for number, block in enumerate(tower.blocks)
    )
    return Fold(convention, layers, head)


def token_map(
    tower: Tower,
    batch: Tensor,
    folded: Fold,
    *,
    outlier_factor: float | None = None,
    mlp_by_token: bool = False,
) -> TokenMap:
    """Run the tower once and return the contribution of each patch; differentiable.

    Parameters
    ----------
    tower : Tower
    batch : Tensor [batch, rgb, y, x]
        Preprocessed images.
    folded : Fold
        Of this tower, from `fold`.
    outlier_factor : float, optional
        Patches whose norm before the last block is more than this many times the median are
        replaced by the mean of their neighbors; the difference is added to ``rest``.
    mlp_by_token : bool
        Of a tower that pools by a mean, also give each patch its own MLPs and its own input, which
        are otherwise part of ``rest``.

    Raises
    ------
    DecompositionError
        `outlier_factor` is invalid, or the tower does not pool by a mean over tokens.
    """
    require_factor(outlier_factor)
    residual = tower.embed(batch)
    tower = tower.settled(residual)
    sums = _LayerSums(folded, tower, residual)
    if mlp_by_token:
        sums.direct_by_token = input_by_token(tower, residual)
    for block, matrix, output in zip(
        tower.blocks, folded.layers, block_outputs(tower, residual), strict=True
    ):
        sums.add(block, matrix, output)
        resid_pre, residual = residual, output.resid_post
    statistics = tower.head.read(tower.head.pool(residual))
    by_token, direct = sums.project(statistics)
    rows, columns = tower.grid
    patches = by_token[:, tower.n_prefix :]
    complete = TokenMap(
        tokens=rearrange(patches, "batch (y x) out -> batch y x out", y=rows, x=columns),
        representation=statistics.representation,
        rest=by_token[:, : tower.n_prefix].sum(dim=1) + direct,
    )
    if outlier_factor is None:
        return complete
    return _without_outliers(complete, resid_pre[:, tower.n_prefix :], outlier_factor)


def _without_outliers(complete: TokenMap, patches: Tensor, factor: float) -> TokenMap:
    """Return the map with outliers replaced; what they lose goes to the rest, so the sum stays."""
    rows = complete.tokens.shape[1]
    outliers = rearrange(find_outliers(patches, factor), "batch (y x) -> batch y x", y=rows)
    tokens = inpaint_outliers(complete.tokens, outliers)
    removed = (complete.tokens - tokens).sum(dim=(1, 2))
    return replace(complete, tokens=tokens, rest=complete.rest + removed)


def input_by_token(tower: Tower, residual: Tensor) -> Tensor:
    """Return what each token's input brings to the pooled one, [batch, token, d_model]."""
    n_tokens = residual.shape[1]
    each = torch.eye(n_tokens, device=residual.device, dtype=tower.begin(residual).dtype)
    weights = tower.head.pool(each.expand(len(residual), -1, -1))  # [batch, token]
    return weights[..., None] * residual.to(weights)


def resolved_mlp(tower: Tower, output: BlockOutput) -> Tensor:
    """Return what each token's MLP brings to the pooled one, [batch, token, d_model].

    Raises
    ------
    DecompositionError
        The tower does not pool by a mean over tokens.
    """
    if output.mlp_by_token is None:
        raise DecompositionError(
            f"The MLPs of this image tower ({tower.family}) belong to no patch: its "
            "embedding is not a mean over tokens. Leave mlp_by_token at False."
        )
    return output.mlp_by_token()


class _LayerSums:
    """Running sums over layers, so that no layer's contributions have to be stored."""

    def __init__(self, folded: Fold, tower: Tower, residual: Tensor) -> None:
        self.folded = folded
        self.tower = tower
        self.direct = tower.begin(residual)  # [batch, d_model]
        self.bias = self.direct.new_zeros(1, tower.d_model)  # [batch or 1, d_model]
        out = folded.linearized_head.weight.shape[1]
        rows = residual.shape[0] * residual.shape[1]
        self.tokens = self.direct.new_zeros(rows, out)
        self.unfolded: Tensor | None = None  # [batch * token, d_model]
        self.direct_by_token: Tensor | None = None  # [batch, token, d_model]; None: not wanted

    def add(self, block: Block, matrix: Tensor | None, output: BlockOutput) -> None:
        convention = self.folded.convention
        contributions = rearrange(
            token_contributions(block, output, convention),
            "batch token head d_head -> (batch token) (head d_head)",
        )
        if matrix is not None:
            self.tokens.addmm_(contributions, matrix)
        else:
            if self.unfolded is None:
                self.unfolded = contributions.new_zeros(len(contributions), self.tower.d_model)
            self.unfolded.addmm_(contributions, block.out_weight.to(contributions).mT)
        self.bias = self.bias + bias_contribution(block, output, convention)
        self.direct = self.direct + output.mlp_out
        if self.direct_by_token is not None:
            self.direct_by_token = self.direct_by_token + resolved_mlp(self.tower, output)

    def project(self, statistics: HeadStatistics) -> tuple[Tensor, Tensor]:
        """Return the sum of each token [batch, token, out] and of all other terms [batch, out]."""
        head, tower = self.folded.linearized_head, self.tower
        if self.unfolded is not None:
            self.tokens.addmm_(self.unfolded, head.weight)
        tokens = rearrange(
            self.tokens, "(batch token) out -> batch token out", batch=len(statistics.mean)
        )
        tokens = tokens + (self.bias @ head.weight)[:, None] / tokens.shape[1]
        fraction = tower.n_layers / (tower.n_terms * tokens.shape[1])
        direct_fraction = (tower.n_layers + 1) / tower.n_terms
        direct = head.project(self.direct, statistics, direct_fraction)
        by_token = head.apply_norm(tokens, statistics, fraction)
        if self.direct_by_token is not None:
            each = direct_fraction / by_token.shape[1]
            owned = head.project(self.direct_by_token, statistics, each)
            by_token, direct = by_token + owned, direct - owned.sum(dim=1)
        return by_token, direct


def require_factor(factor: float | None) -> None:
    """Raise unless the outlier factor is None or a finite number above 1.

    Raises
    ------
    DecompositionError
    """
    if factor is None:
        return
    if not _is_number(factor) or not 1 < factor < float("inf"):
        raise DecompositionError(
            f"outlier_factor is {shorten(repr(factor))}; accepted are None and finite numbers "
            "above 1: a token is left out if its norm is more than that many times the median "
            "norm (3 is usual)."
        )


def find_outliers(patches: Tensor, factor: float) -> Tensor:
    """Return which patches have a norm of more than `factor` times the median of their image.

    Parameters
    ----------
    patches : Tensor [batch, patch, d_model]
        The residual stream before the last block.
    factor : float

    Returns
    -------
    Tensor of bool [batch, patch]
    """
    norms = torch.linalg.vector_norm(patches, dim=-1)
    is_outlier: Tensor = norms > factor * norms.median(dim=1, keepdim=True).values
    return is_outlier


def inpaint_outliers(tokens: Tensor, outliers: Tensor) -> Tensor:
    """Return the map with each outlier replaced by the mean of its neighbors, edges first.

    Parameters
    ----------
    tokens : Tensor [batch, grid_y, grid_x, out]
    outliers : Tensor of bool [batch, grid_y, grid_x]
        At most half of the patches of an image, as `find_outliers` returns them.
    """
    known = ~outliers[:, None]  # [batch, 1, grid_y, grid_x]
    values = tokens.movedim(-1, 1) * known
    while not known.all():
        around, count = _sum_of_neighbors(values), _sum_of_neighbors(known.to(values))
        reached = ~known & (count > 0)
        values = torch.where(reached, around / count.clamp(min=1), values)
        known = known | reached
    return values.movedim(1, -1)


def _sum_of_neighbors(grid: Tensor) -> Tensor:
    """Return the sum over the 3 x 3 cells around each cell, zero outside the grid."""
    channels = grid.shape[1]
    return F.conv2d(grid, grid.new_ones(channels, 1, 3, 3), padding=1, groups=channels)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
