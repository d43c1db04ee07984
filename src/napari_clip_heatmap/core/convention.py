"""How the parts of the embedding that belong to no single token are shared out.

Both conventions are exact: their terms have the same total. They differ in where a part goes.

``reference``
    The authors' own. Mean and shift of the last LayerNorm are split evenly among the ``2 L + 1``
    terms, and within an attention term among its tokens and heads, as is the output bias.
``centred``
    The direction is centred instead of splitting the mean, and the value bias goes into the
    constant (attention sums to one, or to a linearised norm's rate). This takes an
    attention-shaped part without content off the tokens.
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
from napari_clip_heatmap.errors import DecompositionError

__all__ = [
    "Convention",
    "LinearizedHead",
    "bias_contribution",
    "bias_contribution_by_head",
    "linearize_head",
    "parse_convention",
    "token_contributions",
]


class Convention(StrEnum):
    """Which way the parts that belong to no token are shared out."""

    REFERENCE = "reference"
    CENTRED = "centred"


def parse_convention(name: str) -> Convention:
    """Return the convention of that name.

    Raises
    ------
    DecompositionError
        There is none.
    """
    try:
        return Convention(name)
    except ValueError:
        known = ", ".join(repr(str(each)) for each in Convention)
        raise DecompositionError(f"Unknown convention {name!r}; choose one of {known}.") from None


@dataclass(frozen=True)
class LinearizedHead:
    """The head as a linear map of the residual stream's terms.

    With the statistics frozen, ``z = (sum of terms @ weight - mean * per_mean) / sigma + offset``.

    Parameters
    ----------
    weight : Tensor [d_model, d_embed]
    per_mean : Tensor [d_embed]
        What one unit of the LayerNorm's mean takes off; zero where the directions are centred.
    offset : Tensor [d_embed]
    """

    weight: Tensor
    per_mean: Tensor
    offset: Tensor

    def project(self, terms: Tensor, reading: HeadStatistics, part: float) -> Tensor:
        """Return the share of terms of the residual stream in the unit embedding.

        Parameters
        ----------
        terms : Tensor [batch, ..., d_model]
        reading : HeadStatistics
        part : float
            How much of the mean and of the offset each of these terms takes over.

        Returns
        -------
        Tensor [batch, ..., d_embed]
        """
        return self.apply_norm(terms @ self.weight, reading, part)

    def apply_norm(self, projected: Tensor, reading: HeadStatistics, part: float) -> Tensor:
        """Do the rest of `project` for terms that went through ``weight`` already."""
        every = (slice(None), *[None] * (projected.ndim - 1))
        mean, sigma, length = reading.mean[every], reading.sigma[every], reading.length[every]
        return ((projected - part * mean * self.per_mean) / sigma + part * self.offset) / length


def linearize_head(head: Head, convention: Convention) -> LinearizedHead:
    """Return the head's linear map under a convention, in single precision or wider."""
    weight = head.weight.to(accumulation_dtype(head.weight.dtype))
    offset = head.offset.to(weight.dtype)
    if convention is Convention.CENTRED and head.subtracts_mean:
        return LinearizedHead(
            weight - weight.mean(dim=0), weight.new_zeros(weight.shape[1]), offset
        )
    return LinearizedHead(weight, weight.sum(dim=0), offset)


def token_contributions(block: Block, step: BlockOutput, convention: Convention) -> Tensor:
    """Return the shares that stay with their token, [batch, token, head, d_head]."""
    bias = _constant_bias(block, step, convention)
    return (
        step.head_contributions
        if bias is None
        else step.head_contributions - step.weights[..., None] * bias
    )


def bias_contribution(block: Block, step: BlockOutput, convention: Convention) -> Tensor:
    """Return what no token brought, [d_model] or [batch, d_model]."""
    constant, bias = (
        step.attn_bias.to(step.head_contributions),
        _constant_bias(block, step, convention),
    )
    if bias is None:
        return constant
    brought = step.weights.sum(dim=1)[..., None] * bias  # [batch, head, d_head]
    return constant + brought.flatten(1) @ block.out_weight.to(constant).mT


def bias_contribution_by_head(
    block: Block, step: BlockOutput, convention: Convention, n_heads: int
) -> Tensor:
    """Return what no token brought, for each head, [batch or 1, head, d_model].

    The constant is shared evenly among heads; a head's value bias stays with that head.
    """
    constant, bias = (
        step.attn_bias.to(step.head_contributions),
        _constant_bias(block, step, convention),
    )
    shared = constant.reshape(-1, 1, constant.shape[-1]).expand(-1, n_heads, -1) / n_heads
    if bias is None:
        return shared
    out = rearrange(block.out_weight.to(bias), "d_model (head d) -> head d d_model", head=n_heads)
    brought = step.weights.sum(dim=1)[..., None] * bias  # [batch, head, d_head]
    return shared + einsum(brought, out, "batch head d, head d d_model -> batch head d_model")


def _constant_bias(block: Block, step: BlockOutput, convention: Convention) -> Tensor | None:
    """Return the value bias that goes into the constant, [head, d_head]; None if it stays."""
    bias = block.value_bias
    return (
        None
        if convention is Convention.REFERENCE or bias is None
        else bias.to(step.head_contributions)
    )
