"""What every head took from every token, kept until it is known which sums are wanted.

A map's value at a place is a weighted sum of tokens. So are the contributions of its layers and
heads: ``sum_n w_n s_l,h,n`` is taken first, and only that vector goes through the output projection
and the head (arXiv 2310.05916, section 3; the same terms as `decompose` returns, in other order).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from einops import einsum, rearrange
from torch import Tensor

from napari_clip_heatmap.core.convention import (
    Convention,
    LinearizedHead,
    bias_contribution_by_head,
    linearize_head,
    token_contributions,
)
from napari_clip_heatmap.core.token_map import (
    find_outliers,
    inpaint_outliers,
    input_by_token,
    require_factor,
    resolved_mlp,
)
from napari_clip_heatmap.core.tower import HeadStatistics, Tower, block_outputs

__all__ = ["HeadVectors", "run_heads"]

_REFERENCE = Convention.REFERENCE
"""The convention of the token map, which these sums are parts of."""


@dataclass(frozen=True)
class HeadVectors:
    """The attention of all layers before output projection and head, for a batch of images.

    Parameters
    ----------
    vectors : Tensor [layer, batch, token, head, d_head]
        Attention weight times value vector.
    biases : tuple of Tensor [batch or 1, head, d_model]
        Of each layer, the part of the attention output that belongs to no token.
    direct : Tensor [batch, layer + 1, d_model]
        The input embedding first, then the MLP of every layer.
    statistics : HeadStatistics
    tower : Tower
        With its pooling weights fixed for this batch.
    outliers : Tensor of bool [batch, grid_y, grid_x], optional
        Register-like patches, which the token map replaces by the mean of their neighbors.
    direct_by_token : Tensor [layer + 1, batch, token, d_model], optional
        What each token's input and MLPs bring to `direct`; None where they belong to no token.
    """

    vectors: Tensor
    biases: tuple[Tensor, ...]
    direct: Tensor
    statistics: HeadStatistics
    tower: Tower
    outliers: Tensor | None = None
    direct_by_token: Tensor | None = None

    @property
    def n_tokens(self) -> int:
        """Number of tokens, those before the patches included."""
        return self.vectors.shape[2]

    @property
    def n_bytes(self) -> int:
        """Memory of what is kept for each token, which is nearly all of it."""
        large = (self.vectors, self.direct_by_token)
        return sum(each.numel() * each.element_size() for each in large if each is not None)

    @property
    def is_finite(self) -> bool:
        """Whether nothing overflowed, as half precision may."""
        return bool(
            self.vectors.isfinite().all() and self.statistics.representation.isfinite().all()
        )

    def moved(self, device: torch.device | str) -> HeadVectors:
        """Return the vectors in another memory; weights are used where they are."""
        direct = self.direct_by_token
        return replace(
            self,
            vectors=self.vectors.to(device),
            direct_by_token=None if direct is None else direct.to(device),
        )

    def patch_weights(self, weights: Tensor) -> Tensor:
        """Return the weight of every token in a sum over cells of the token map, [batch, token].

        Parameters
        ----------
        weights : Tensor [batch, grid_y, grid_x]
            Of each cell. An outlier's weight goes to the neighbors that replace it.
        """
        if self.outliers is not None:
            weights = _moved_to_neighbors(weights, self.outliers)
        flat = rearrange(weights, "batch y x -> batch (y x)")
        prefix = flat.new_zeros(len(flat), self.n_tokens - flat.shape[1])
        return torch.cat([prefix, flat], dim=1)

    def contributions(self, weights: Tensor, directions: Tensor) -> Tensor:
        """Return the contribution of each layer and head, [batch, prompt, layer, head].

        Parameters
        ----------
        weights : Tensor [batch, token]
            Ones give the contribution to the whole image's cosine, `patch_weights` that to a place.
        directions : Tensor [prompt, d_embed]
        """
        head = self._head.along(directions)
        total = weights.sum(dim=1)[:, None, None].to(head.weight)
        sums = einsum(
            weights.to(self.vectors),
            self.vectors,
            "batch token, layer batch token head d -> layer batch head d",
        )
        layers = []
        for number, bias in enumerate(self.biases):
            projected = einsum(
                sums[number].to(head.weight),
                self._folded(number, head),
                "batch head d, head d out -> batch head out",
            )
            even = (bias @ head.weight) / self.n_tokens  # [batch or 1, head, prompt]
            terms = projected + total * even
            layers.append(head.apply_norm(terms, self.statistics, total * self._fraction))
        return rearrange(torch.stack(layers), "layer batch head out -> batch out layer head")

    def direct_contributions(self, directions: Tensor) -> Tensor:
        """Return the contribution of the input and of every MLP, [batch, prompt, layer + 1]."""
        head = self._head.along(directions)
        projected = head.project(self.direct, self.statistics, 1 / self.tower.n_terms)
        return rearrange(projected, "batch term out -> batch out term")

    def direct_of_tokens(self, weights: Tensor, directions: Tensor) -> Tensor | None:
        """Return what the input and the MLPs of some tokens bring, [batch, prompt, layer + 1].

        Parameters
        ----------
        weights : Tensor [batch, token]
            From `patch_weights`.
        directions : Tensor [prompt, d_embed]

        Returns
        -------
        Tensor, optional
            None where they belong to no token.
        """
        if self.direct_by_token is None:
            return None
        head = self._head.along(directions)
        sums = einsum(
            weights.to(self.direct_by_token),
            self.direct_by_token,
            "batch token, term batch token d -> batch term d",
        ).to(head.weight)
        total = weights.sum(dim=1)[:, None, None].to(head.weight)
        fraction = total / (self.tower.n_terms * self.n_tokens)
        projected = head.project(sums, self.statistics, fraction)
        return rearrange(projected, "batch term out -> batch out term")

    def direct_map(self, directions: Tensor) -> Tensor | None:
        """Return the map of input and MLPs, [batch, prompt, grid_y, grid_x].

        Parameters
        ----------
        directions : Tensor [prompt, d_embed]

        Returns
        -------
        Tensor, optional
            None where they belong to no token.
        """
        if self.direct_by_token is None:
            return None
        head = self._head.along(directions)
        rows, columns = self.tower.grid
        terms = self.direct_by_token.sum(dim=0)[:, -rows * columns :].to(head.weight)
        fraction = len(self.direct_by_token) / (self.tower.n_terms * self.n_tokens)
        projected = head.project(terms, self.statistics, fraction)
        grid = rearrange(projected, "batch (y x) out -> batch y x out", y=rows)
        if self.outliers is not None:
            grid = inpaint_outliers(grid, self.outliers)
        return rearrange(grid, "batch y x out -> batch out y x")

    def maps(self, directions: Tensor) -> Tensor:
        """Return the map of each layer and head, [batch, prompt, layer, head, grid_y, grid_x].

        Parameters
        ----------
        directions : Tensor [prompt, d_embed]
        """
        head = self._head.along(directions)
        rows, columns = self.tower.grid
        layers = []
        for number, bias in enumerate(self.biases):
            patches = self.vectors[number][:, -rows * columns :].to(head.weight)
            projected = einsum(
                patches,
                self._folded(number, head),
                "batch token head d, head d out -> batch token head out",
            )
            even = (bias @ head.weight)[:, None] / self.n_tokens
            layers.append(head.apply_norm(projected + even, self.statistics, self._fraction))
        stacked = rearrange(
            torch.stack(layers),
            "layer batch (y x) head out -> batch y x (out layer head)",
            y=rows,
        )
        if self.outliers is not None:
            stacked = inpaint_outliers(stacked, self.outliers)
        return rearrange(
            stacked,
            "batch y x (out layer head) -> batch out layer head y x",
            layer=len(layers),
            head=self.tower.n_heads,
        )

    @property
    def _fraction(self) -> float:
        """The part of the last norm's mean and shift that each token gets from each head."""
        return 1 / (self.tower.n_terms * self.n_tokens * self.tower.n_heads)

    @property
    def _head(self) -> LinearizedHead:
        return linearize_head(self.tower.head, _REFERENCE)

    def _folded(self, number: int, head: LinearizedHead) -> Tensor:
        """Return output projection times head of one layer, [head, d_head, out]."""
        out_weight = self.tower.blocks[number].out_weight.to(head.weight)
        folded = out_weight.mT @ head.weight  # [head * d_head, out]
        return rearrange(folded, "(head d) out -> head d out", head=self.tower.n_heads)


def run_heads(
    tower: Tower,
    batch: Tensor,
    *,
    outlier_factor: float | None = None,
    mlp_by_token: bool = False,
) -> HeadVectors:
    """Run the tower once and keep what every head took from every token.

    Parameters
    ----------
    tower : Tower
    batch : Tensor [batch, rgb, y, x]
        Preprocessed images.
    outlier_factor, mlp_by_token
        As `token_map` takes them.
    """
    require_factor(outlier_factor)
    residual = tower.embed(batch)
    tower = tower.settled(residual)
    vectors, biases, direct = [], [], [tower.begin(residual)]
    by_token = [input_by_token(tower, residual)] if mlp_by_token else []
    for block, output in zip(tower.blocks, block_outputs(tower, residual), strict=True):
        vectors.append(token_contributions(block, output, _REFERENCE))
        biases.append(bias_contribution_by_head(block, output, _REFERENCE, tower.n_heads))
        direct.append(output.mlp_out)
        if mlp_by_token:
            by_token.append(resolved_mlp(tower, output))
        resid_pre, residual = residual, output.resid_post
    outliers = None
    if outlier_factor is not None:
        found = find_outliers(resid_pre[:, tower.n_prefix :], outlier_factor)
        outliers = rearrange(found, "batch (y x) -> batch y x", y=tower.grid[0])
    return HeadVectors(
        vectors=torch.stack(vectors),
        biases=tuple(biases),
        direct=torch.stack(direct, dim=1),
        statistics=tower.head.read(tower.head.pool(residual)),
        tower=tower,
        outliers=outliers,
        direct_by_token=torch.stack(by_token) if mlp_by_token else None,
    )


def _moved_to_neighbors(weights: Tensor, outliers: Tensor) -> Tensor:
    """Return weights of cells after outliers gave theirs to the neighbors that replace them."""
    rows, columns = weights.shape[1:]
    every = torch.eye(rows * columns, device=weights.device, dtype=weights.dtype)
    cells = rearrange(every, "(y x) source -> 1 y x source", y=rows)
    moved = inpaint_outliers(cells.expand(len(weights), -1, -1, -1), outliers.to(weights.device))
    moved_weights = einsum(weights, moved, "batch y x, batch y x source -> batch source")
    return rearrange(moved_weights, "batch (y x) -> batch y x", y=rows)
