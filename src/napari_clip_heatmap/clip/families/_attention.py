"""Self-attention of a transformer block, read from its module, as a linear map of token shares.

``out = lambda * N_out(W_O N_in(concat_h sum_n a_h,n v_h,n) + b_O)``, with LayerScale lambda and up
to two LayerNorms, each linear once its deviation is frozen. So what a query puts into the residual
stream is ``rate * W (concat_h sum_n a_h,n v_h,n) + constant``, with one matrix W for all tokens and
a rate ``1 / (sigma_in sigma_out)`` of each query.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from einops import einsum, rearrange
from torch import Tensor
from torch.nn import functional as F

from napari_clip_heatmap.clip.families._norms import gained, normed, present, wide
from napari_clip_heatmap.core.attention import (
    head_contributions,
    pooled_weights,
    pooled_weights_from_inputs,
    statistics,
)

__all__ = ["Attended", "Attention", "split_heads"]


@dataclass(frozen=True)
class Attended:
    """What attention gave.

    Parameters
    ----------
    mixed : Tensor [batch, query, head, d_head]
        Sum over tokens of weight times value, of each query that was asked.
    weights : Tensor [batch, token, head]
        Of the pooled query, the rates of linearised norms included.
    shares : Tensor [batch, token, head, d_head]
        Weight times value.
    rate : Tensor [batch], optional
        Of the outer norm for the pooled query; None where it is 1.
    total : Tensor [batch], optional
        Sum of the queries' weights in the pooling; None where it is 1.
    """

    mixed: Tensor
    weights: Tensor
    shares: Tensor
    rate: Tensor | None = None
    total: Tensor | None = None


@dataclass(frozen=True)
class Attention:
    """The parts of an attention module.

    Parameters
    ----------
    weights : tuple of Tensor
        One joint projection [3 * head * d_head, d_model], or those of query, key and value.
    biases : tuple of Tensor or None
        As many.
    n_heads : int
    out : nn.Linear
        Output projection.
    query_norm, key_norm : nn.LayerNorm, optional
        Over each head's vector.
    head_scale : Tensor [head], optional
        Factor of each head.
    inner_norm, outer_norm : nn.LayerNorm, optional
        Before and after the output projection.
    layer_scale : Tensor [d_model], optional
    rotate : callable, optional
        Rotary positions of queries or keys of all tokens, [batch, head, token, d_head]; they leave
        the class token as it is.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor | None, ...]
    n_heads: int
    out: Any
    query_norm: Any = None
    key_norm: Any = None
    head_scale: Tensor | None = None
    inner_norm: Any = None
    outer_norm: Any = None
    layer_scale: Tensor | None = None
    rotate: Callable[[Tensor], Tensor] | None = None

    @property
    def dtype(self) -> Any:
        """Type of the weights, in which the matrix products run."""
        return self.weights[0].dtype

    @property
    def out_weight(self) -> Tensor:
        """All that is linear between heads and residual stream, [d_model, head * d_head]."""
        weight: Tensor = self.out.weight
        if present(self.inner_norm):
            weight = gained(self.inner_norm, weight, dim=1)
            weight = weight - weight.mean(dim=1, keepdim=True)
        if present(self.outer_norm):
            weight = weight - weight.mean(dim=0, keepdim=True)
            weight = gained(self.outer_norm, weight, dim=0)
        return weight if self.layer_scale is None else self.layer_scale[:, None] * weight

    @property
    def value_bias(self) -> Tensor | None:
        """Bias of the values, head scale included, [head, d_head]."""
        bias = self._projection(2)[1]
        if bias is None:
            return None
        return self._scaled(rearrange(bias, "(head d) -> head d", head=self.n_heads))

    def constant(self, attended: Attended) -> Tensor:
        """Return what no token brings to the pooled query, [d_model] or [batch, d_model]."""
        weight, bias = self.out.weight, self.out.bias
        bias = weight.new_zeros(len(weight)) if bias is None else bias
        if present(self.inner_norm) and self.inner_norm.bias is not None:
            bias = bias + weight @ self.inner_norm.bias
        if present(self.outer_norm):
            bias = gained(self.outer_norm, bias - bias.mean(), dim=0)
        rate = attended.rate if present(self.outer_norm) else attended.total
        constant: Tensor = bias if rate is None else rate[:, None] * bias
        if present(self.outer_norm) and self.outer_norm.bias is not None:
            shift: Tensor = self.outer_norm.bias
            constant = constant + (
                shift if attended.total is None else attended.total[:, None] * shift
            )
        return constant if self.layer_scale is None else constant * self.layer_scale

    def output(self, mixed: Tensor) -> Tensor:
        """Return what attention adds to the stream, from [batch, query, head, d_head]."""
        added = self._projected(mixed)
        if present(self.outer_norm):
            added = normed(self.outer_norm, added)
        return added if self.layer_scale is None else added * self.layer_scale

    def attend(self, inputs: Tensor, pooling: Tensor | None) -> Attended:
        """Run attention for all queries.

        Queries, keys and values are as large as the rest of a block together: they end here.

        Parameters
        ----------
        inputs : Tensor [batch, token, d_model]
        pooling : Tensor [batch, token], optional
            Weight of each query in the pooled one; the first alone counts where None.
        """
        query, key, value = self._project(inputs)
        mixed = F.scaled_dot_product_attention(query, key, value)
        mixed = self._scaled(rearrange(mixed, "batch head token d -> batch token head d"))
        scale = key.shape[-1] ** -0.5
        if pooling is None:
            weights = pooled_weights(query[:, :, :1], key, scale)
            return self._rated(mixed, weights, value)
        inner, outer = self._rates(mixed)
        rates = pooling if outer is None else pooling * outer
        each = rates if inner is None else rates * inner
        rows = (wide(query) * scale @ wide(key).mT).softmax(dim=-1)  # [batch, head, query, token]
        weights = einsum(each, rows, "batch query, batch head query token -> batch token head")
        return Attended(
            mixed, weights, self._shares(weights, value), rates.sum(dim=1), pooling.sum(dim=1)
        )

    def attend_first(self, inputs: Tensor) -> Attended:
        """Run attention for the first query alone; keys and values are of all tokens.

        Keys serve one query only, so they are computed just where a norm or a rotation follows.
        """
        inputs = inputs.to(self.dtype)
        query = self._query_normed(self._part(inputs[:, :1], 0))
        scale = query.shape[-1] ** -0.5
        if present(self.key_norm) or self.rotate is not None:
            weights = pooled_weights(query, self._key_turned(self._part(inputs, 1)), scale)
        else:
            weights = pooled_weights_from_inputs(query, inputs, self._projection(1)[0], scale)
        return self._rated(None, weights, self._part(inputs, 2))

    def _rated(self, mixed: Tensor | None, weights: Tensor, value: Tensor) -> Attended:
        """Return what the first query got, given its plain weights."""
        shares = self._shares(weights, value)
        if mixed is None:
            mixed = shares.sum(dim=1, keepdim=True)
        inner, outer = self._rates(mixed[:, :1])
        for rate in (inner, outer):
            if rate is not None:
                weights, shares = weights * rate[..., None], shares * rate[..., None, None]
        return Attended(mixed, weights, shares, None if outer is None else outer[:, 0])

    def _rates(self, mixed: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return one over the deviations of the inner and outer norm, [batch, query]."""
        inner = outer = None
        if present(self.inner_norm):
            inner = 1 / statistics(mixed.flatten(2), self.inner_norm.eps)[1]
        if present(self.outer_norm):
            outer = 1 / statistics(self._projected(mixed), self.outer_norm.eps)[1]
        return inner, outer

    def _projected(self, mixed: Tensor) -> Tensor:
        mixed = mixed.flatten(2)
        if present(self.inner_norm):
            mixed = normed(self.inner_norm, mixed)
        projected: Tensor = self.out(mixed.to(self.out.weight.dtype))
        return projected

    def _projection(self, part: int) -> tuple[Tensor, Tensor | None]:
        """Return weight and bias of queries (0), keys (1) or values (2)."""
        if len(self.weights) == 3:
            return self.weights[part], self.biases[part]
        joint = self.biases[0]
        return self.weights[0].chunk(3)[part], None if joint is None else joint.chunk(3)[part]

    def _part(self, inputs: Tensor, part: int) -> Tensor:
        return split_heads(F.linear(inputs, *self._projection(part)), self.n_heads)[0]

    def _project(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, each [batch, head, token, d_head]."""
        inputs = inputs.to(self.dtype)
        if len(self.weights) == 3:
            query, key, value = (self._part(inputs, part) for part in range(3))
        else:
            joint = F.linear(inputs, self.weights[0], self.biases[0])
            query, key, value = split_heads(joint, self.n_heads, n_parts=3)
        query = self._query_normed(query)
        if self.rotate is not None:
            query = self.rotate(query)
        return query, self._key_turned(key), value

    def _query_normed(self, query: Tensor) -> Tensor:
        return normed(self.query_norm, query).to(query) if present(self.query_norm) else query

    def _key_turned(self, key: Tensor) -> Tensor:
        if present(self.key_norm):
            key = normed(self.key_norm, key).to(key)
        return key if self.rotate is None else self.rotate(key)

    def _scaled(self, mixed: Tensor) -> Tensor:
        """Apply the learned factor of each head, if there is one, to [..., head, d_head]."""
        if self.head_scale is None:
            return mixed
        return mixed * self.head_scale.reshape(-1, 1).to(mixed.dtype)

    def _shares(self, weights: Tensor, value: Tensor) -> Tensor:
        values = rearrange(value, "batch head token d -> batch token head d")
        return self._scaled(head_contributions(weights, values))


def split_heads(projected: Tensor, n_heads: int, n_parts: int = 1) -> tuple[Tensor, ...]:
    """Split into parts and heads, each [batch, head, token, d_head]."""
    return tuple(
        rearrange(
            projected,
            "batch token (part head d) -> part batch head token d",
            part=n_parts,
            head=n_heads,
        )
    )
