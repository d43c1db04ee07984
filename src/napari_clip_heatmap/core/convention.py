"""How the parts of the embedding that belong to no single token are split.

Both conventions are exact: their terms have the same total. They differ in which term gets what.

``reference``
    The authors' own. Mean and shift of the last LayerNorm are split evenly among the ``2 L + 1``
    terms, and within an attention term among its tokens and heads; so is the output bias.
``centered``
    The text direction is centered, so there is no mean to split, and the value bias becomes part
    of the bias term (attention sums to one, or to the scale of a linearized norm). This removes a
    part from the tokens that follows the attention but not the content.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from einops import einsum, rearrange
from torch import Tensor

from napari_clip_heatmap.core.tower import (
    Block,
    BlockOutput,
    Head,
    HeadStatistics,
    accumulation_dtype,
)
from napari_clip_heatmap.errors import DecompositionError, shorten

__all__ = [
    "Convention",
    "LinearizedHead",
    "bias_contribution",
    "bias_contribution_by_head",
    "linearize_head",
    "parse_convention",
    "token_contributions",
]

_BRITISH = "centred"
"""Accepted for ``"centered"``: scripts and records were written with it."""


class Convention(StrEnum):
    """How the parts that belong to no single token are split."""

    REFERENCE = "reference"
    CENTERED = "centered"


def parse_convention(name: str) -> Convention:
    """Return the convention of that name; "centred" is accepted for "centered".

    Raises
    ------
    DecompositionError
        There is no such convention.
    """
    try:
        return Convention.CENTERED if name == _BRITISH else Convention(name)
    except ValueError:
        known = ", ".join(repr(str(convention)) for convention in Convention)
        raise DecompositionError(
            f"Unknown convention {shorten(repr(name))}; choose one of {known}."
        ) from None


@dataclass(frozen=True)
class LinearizedHead:
    """The head as a linear map of the terms of the residual stream.

    With the statistics frozen, ``z = (sum of terms @ weight - mean * per_mean) / sigma + offset``.

    Parameters
    ----------
    weight : Tensor [d_model, d_embed]
    per_mean : Tensor [d_embed]
        What one unit of the LayerNorm's mean subtracts; zero where the directions are centered.
    offset : Tensor [d_embed]
    """

    weight: Tensor
    per_mean: Tensor
    offset: Tensor

    def along(self, directions: Tensor) -> LinearizedHead:
        """Return the map to products with directions, [prompt, d_embed]."""
        texts = directions.to(self.weight).mT
        return LinearizedHead(self.weight @ texts, self.per_mean @ texts, self.offset @ texts)

    def project(
        self, terms: Tensor, statistics: HeadStatistics, fraction: float | Tensor
    ) -> Tensor:
        """Return the contribution of terms of the residual stream to the unit embedding.

        Parameters
        ----------
        terms : Tensor [batch, ..., d_model]
        statistics : HeadStatistics
        fraction : float
            The part of the mean and of the offset that each of these terms gets.

        Returns
        -------
        Tensor [batch, ..., d_embed]
        """
        return self.apply_norm(terms @ self.weight, statistics, fraction)

    def apply_norm(
        self, projected: Tensor, statistics: HeadStatistics, fraction: float | Tensor
    ) -> Tensor:
        """Finish `project` for terms that were multiplied by ``weight`` before.

        The fraction may differ from image to image: a tensor that broadcasts with the terms.
        """
        per_image = (slice(None), *[None] * (projected.ndim - 1))
        mean, sigma = statistics.mean[per_image], statistics.sigma[per_image]
        normed = (projected - fraction * mean * self.per_mean) / sigma + fraction * self.offset
        return normed / statistics.length[per_image]


def linearize_head(head: Head, convention: Convention) -> LinearizedHead:
    """Return the head's linear map under a convention, in single precision or wider."""
    weight = head.weight.to(accumulation_dtype(head.weight.dtype))
    offset = head.offset.to(weight.dtype)
    if convention is Convention.CENTERED and head.subtracts_mean:
        return LinearizedHead(
            weight - weight.mean(dim=0), weight.new_zeros(weight.shape[1]), offset
        )
    return LinearizedHead(weight, weight.sum(dim=0), offset)


def token_contributions(block: Block, output: BlockOutput, convention: Convention) -> Tensor:
    """Return the contributions that stay with their token, [batch, token, head, d_head]."""
    value_bias = _removed_value_bias(block, output, convention)
    if value_bias is None:
        return output.head_contributions
    return output.head_contributions - output.weights[..., None] * value_bias


def bias_contribution(block: Block, output: BlockOutput, convention: Convention) -> Tensor:
    """Return the attention output that belongs to no token, [d_model] or [batch, d_model]."""
    bias = output.attn_bias.to(output.head_contributions)
    value_bias = _removed_value_bias(block, output, convention)
    if value_bias is None:
        return bias
    removed = output.weights.sum(dim=1)[..., None] * value_bias  # [batch, head, d_head]
    return bias + removed.flatten(1) @ block.out_weight.to(bias).mT


def bias_contribution_by_head(
    block: Block, output: BlockOutput, convention: Convention, n_heads: int
) -> Tensor:
    """Return what belongs to no token, for each head, [batch or 1, head, d_model].

    The output bias is split evenly among heads; the value bias of a head stays with that head.
    """
    bias = output.attn_bias.to(output.head_contributions)
    by_head = bias.reshape(-1, 1, bias.shape[-1]).expand(-1, n_heads, -1) / n_heads
    value_bias = _removed_value_bias(block, output, convention)
    if value_bias is None:
        return by_head
    out_weight = rearrange(
        block.out_weight.to(bias), "d_model (head d) -> head d d_model", head=n_heads
    )
    removed = output.weights.sum(dim=1)[..., None] * value_bias  # [batch, head, d_head]
    return by_head + einsum(
        removed, out_weight, "batch head d, head d d_model -> batch head d_model"
    )


def _removed_value_bias(block: Block, output: BlockOutput, convention: Convention) -> Tensor | None:
    """Return the value bias to take from the tokens, [head, d_head]; None if it stays."""
    if convention is Convention.REFERENCE or block.value_bias is None:
        return None
    return block.value_bias.to(output.head_contributions)
