"""The fast path: every patch's share of the embedding, beside one forward pass.

``T_n = sum_l s_l,n M_l / (sigma |z|)`` plus a constant, where ``s_l,n`` is what the pooled query
took from token n in layer l, heads side by side, and ``M_l = W_O,l^T diag(gamma) P`` is folded once
a model (arXiv 2310.05916, rearranged so that no per-head tensor is ever built).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from einops import rearrange
from torch import Tensor

from napari_clip_heatmap.core.convention import (
    Convention,
    LinearizedHead,
    bias_contribution,
    linearize_head,
    token_contributions,
)
from napari_clip_heatmap.core.outliers import find_outliers, inpaint_outliers, require_factor
from napari_clip_heatmap.core.tower import Block, BlockOutput, HeadStatistics, Tower, block_outputs
from napari_clip_heatmap.errors import DecompositionError

__all__ = ["BUDGET", "Fold", "TokenMap", "fold", "token_map"]

BUDGET = 42_000_000
"""Bytes for folded layers: all of ViT-B-16 (19 MB), 13 of the 24 layers of ViT-L-14 (3 MB each)."""


@dataclass(frozen=True)
class TokenMap:
    """Every patch's share of the unit image embedding.

    Parameters
    ----------
    tokens : Tensor [batch, grid_y, grid_x, d_embed]
        Summed over layers and heads; dotted with a unit text direction, a share of the cosine.
        Where the directions were folded in, the last axis is the prompt and the unit cosine.
    representation : Tensor [batch, d_embed]
        The image embedding, un-normalised.
    rest : Tensor [batch, d_embed]
        All that is not in `tokens`: class token, MLPs, input. ``tokens`` summed over the grid, plus
        ``rest``, is ``representation / |representation|`` (or that, dotted with the directions).
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
        """Sum of all parts, [batch, d_embed]: the unit image embedding, if nothing is missing."""
        return self.tokens.sum(dim=(1, 2)) + self.rest


@dataclass(frozen=True)
class Fold:
    """Each layer's output projection and the head in one matrix.

    Parameters
    ----------
    convention : Convention
    layers : tuple of Tensor [head * d_head, d_embed] or None
        ``W_O^T diag(gamma) P`` for each layer; None where it would have taken too much memory, and
        output projection and head are applied one after the other.
    linearized_head : LinearizedHead
        The head alone, for the terms that pass no attention.
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
    """Fold output projections and head, once a model; differentiable.

    Parameters
    ----------
    tower : Tower
    convention : Convention
    directions : Tensor [prompt, d_embed], optional
        Unit text directions to fold in too: maps for these prompts alone, at next to no cost.
    budget : int
        Bytes that the folded layers may take; those beyond it are left as they are.
    """
    head = linearize_head(tower.head, convention)
    if directions is not None:
        texts = directions.to(head.weight).mT  # [d_embed, prompt]
        head = LinearizedHead(head.weight @ texts, head.per_mean @ texts, head.offset @ texts)
    n_folded = budget // (head.weight.numel() * head.weight.element_size())
    layers = tuple(
        block.out_weight.to(head.weight).mT @ head.weight if number < n_folded else None
        for number, block in enumerate(tower.blocks)
    )
    return Fold(convention, layers, head)


def token_map(
    tower: Tower, batch: Tensor, folded: Fold, *, outlier_factor: float | None = None
) -> TokenMap:
    """Run the tower once and return every patch's share of the embedding; differentiable.

    Parameters
    ----------
    tower : Tower
    batch : Tensor [batch, rgb, y, x]
        Preprocessed images.
    folded : Fold
        Of this tower, from `fold`.
    outlier_factor : float, optional
        Patches whose norm before the last block is over so many times the median are left out of
        the map: their shares go to ``rest``, and their neighbours' mean takes the place.
    """
    require_factor(outlier_factor)
    stream = tower.embed(batch)
    tower = tower.settled(stream)
    sums = _Sums(folded, tower, stream)
    for block, matrix, step in zip(
        tower.blocks, folded.layers, block_outputs(tower, stream), strict=True
    ):
        sums.add(block, matrix, step)
        before, stream = stream, step.resid_post
    reading = tower.head.read(tower.head.pool(stream))
    attended, direct = sums.settled(reading)
    rows, columns = tower.grid
    patches = attended[:, tower.n_prefix :]
    answer = TokenMap(
        tokens=rearrange(patches, "batch (y x) out -> batch y x out", y=rows, x=columns),
        representation=reading.representation,
        rest=attended[:, : tower.n_prefix].sum(dim=1) + direct,
    )
    if outlier_factor is None:
        return answer
    return _without_outliers(answer, before[:, tower.n_prefix :], outlier_factor)


def _without_outliers(answer: TokenMap, patches: Tensor, factor: float) -> TokenMap:
    """Return the map with the outliers' shares in the rest; the total stays."""
    rows = answer.tokens.shape[1]
    outliers = rearrange(find_outliers(patches, factor), "batch (y x) -> batch y x", y=rows)
    tokens = inpaint_outliers(answer.tokens, outliers)
    moved = (answer.tokens - tokens).sum(dim=(1, 2))
    return replace(answer, tokens=tokens, rest=answer.rest + moved)


class _Sums:
    """Running sums over layers, so that no layer's shares need be kept."""

    def __init__(self, folded: Fold, tower: Tower, stream: Tensor) -> None:
        self.folded = folded
        self.tower = tower
        self.direct = tower.begin(stream)  # [batch, d_model]
        self.constant = self.direct.new_zeros(1, tower.d_model)  # [batch or 1, d_model]
        out = folded.linearized_head.weight.shape[1]
        rows = stream.shape[0] * stream.shape[1]
        self.tokens = self.direct.new_zeros(rows, out)
        self.unfolded: Tensor | None = None  # [batch * token, d_model]

    def add(self, block: Block, matrix: Tensor | None, step: BlockOutput) -> None:
        convention = self.folded.convention
        shares = rearrange(
            token_contributions(block, step, convention),
            "batch token head d_head -> (batch token) (head d_head)",
        )
        if matrix is not None:
            self.tokens.addmm_(shares, matrix)
        else:
            if self.unfolded is None:
                self.unfolded = shares.new_zeros(len(shares), self.tower.d_model)
            self.unfolded.addmm_(shares, block.out_weight.to(shares).mT)
        self.constant = self.constant + bias_contribution(block, step, convention)
        self.direct = self.direct + step.mlp_out

    def settled(self, reading: HeadStatistics) -> tuple[Tensor, Tensor]:
        """Return token terms [batch, token, out] and the sum of the others [batch, out]."""
        head, tower = self.folded.linearized_head, self.tower
        if self.unfolded is not None:
            self.tokens.addmm_(self.unfolded, head.weight)
        tokens = rearrange(
            self.tokens, "(batch token) out -> batch token out", batch=len(reading.mean)
        )
        tokens = tokens + (self.constant @ head.weight)[:, None] / tokens.shape[1]
        part = tower.n_layers / (tower.n_terms * tokens.shape[1])
        direct = head.project(self.direct, reading, (tower.n_layers + 1) / tower.n_terms)
        return head.apply_norm(tokens, reading, part), direct
