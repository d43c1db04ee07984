"""Self-attention of a transformer block, read from its module: a sum of contributions of tokens.

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

from napari_clip_heatmap.clip.families._head import is_active, normalize, scale_by_gain, widen
from napari_clip_heatmap.core.attention import (
    head_contributions,
    pooled_weights_from_inputs,
    statistics,
)

__all__ = ["Attention", "AttentionOutput", "split_heads"]


@dataclass(frozen=True)
class AttentionOutput:
    """Attention before its output projection, and what the pooled query took from each token.

    Parameters
    ----------
    head_outputs : Tensor [batch, query, head, d_head]
        Sum over tokens of attention weight times value; all queries, or the first alone.
    weights : Tensor [batch, token, head]
        Of the pooled query, the rates of linearized norms included.
    contributions : Tensor [batch, token, head, d_head]
        Weight times value.
    outer_rate : Tensor [batch], optional
        Of the outer norm for the pooled query; None where it is 1.
    pooling_total : Tensor [batch], optional
        Sum of the queries' weights in the pooling; None where it is 1.
    """

    head_outputs: Tensor
    weights: Tensor
    contributions: Tensor
    outer_rate: Tensor | None = None
    pooling_total: Tensor | None = None


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
    score_bias : callable, optional
        Returns what is added to the scaled scores before the softmax (relative positions),
        [batch or 1, head, query, token]; it leaves the values as they are.
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
    score_bias: Callable[[], Tensor] | None = None

    @property
    def dtype(self) -> Any:
        """Type of the weights, in which the matrix products run."""
        return self.weights[0].dtype

    @property
    def out_weight(self) -> Tensor:
        """All that is linear between heads and residual stream, [d_model, head * d_head]."""
        weight: Tensor = self.out.weight
        if is_active(self.inner_norm):
            weight = scale_by_gain(self.inner_norm, weight, dim=1)
            weight = weight - weight.mean(dim=1, keepdim=True)
        if is_active(self.outer_norm):
            weight = weight - weight.mean(dim=0, keepdim=True)
            weight = scale_by_gain(self.outer_norm, weight, dim=0)
        return weight if self.layer_scale is None else self.layer_scale[:, None] * weight

    @property
    def value_bias(self) -> Tensor | None:
        """Bias of the values, head scale included, [head, d_head]."""
        bias = self._projection(2)[1]
        if bias is None:
            return None
        return self._apply_head_scale(rearrange(bias, "(head d) -> head d", head=self.n_heads))

    def pooled_bias(self, output: AttentionOutput) -> Tensor:
        """Return what the pooled query gets from no token, [d_model] or [batch, d_model]."""
        weight, bias = self.out.weight, self.out.bias
        bias = weight.new_zeros(len(weight)) if bias is None else bias
        if is_active(self.inner_norm) and self.inner_norm.bias is not None:
            bias = bias + weight @ self.inner_norm.bias
        if is_active(self.outer_norm):
            bias = scale_by_gain(self.outer_norm, bias - bias.mean(), dim=0)
        rate = output.outer_rate if is_active(self.outer_norm) else output.pooling_total
        constant: Tensor = bias if rate is None else rate[:, None] * bias
        if is_active(self.outer_norm) and self.outer_norm.bias is not None:
            shift: Tensor = self.outer_norm.bias
            constant = constant + (
                shift if output.pooling_total is None else output.pooling_total[:, None] * shift
            )
        return constant if self.layer_scale is None else constant * self.layer_scale

    def added(self, head_outputs: Tensor) -> Tensor:
        """Return what attention adds to the stream, from [batch, query, head, d_head]."""
        added = self._projected(head_outputs)
        if is_active(self.outer_norm):
            added = normalize(self.outer_norm, added)
        return added if self.layer_scale is None else added * self.layer_scale

    def attend(self, inputs: Tensor, pooling: Tensor | None) -> AttentionOutput:
        """Run attention for all queries.

        Queries, keys and values are as large as the rest of a block together: they end here.

        Parameters
        ----------
        inputs : Tensor [batch, token, d_model]
        pooling : Tensor [batch, token], optional
            Weight of each query in the pooled one; the first alone counts where None.
        """
        query, key, value = self._project(inputs)
        bias = None if self.score_bias is None else self.score_bias().to(query)
        head_outputs = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        head_outputs = self._apply_head_scale(
            rearrange(head_outputs, "batch head token d -> batch token head d")
        )
        if pooling is None:
            return self._with_rates(head_outputs, _first_row(query, key, bias), value)
        inner, outer = self._rates(head_outputs)
        rates = pooling if outer is None else pooling * outer
        each = rates if inner is None else rates * inner
        rows = _scores(query, key, bias).softmax(dim=-1)  # [batch, head, query, token]
        weights = einsum(each, rows, "batch query, batch head query token -> batch token head")
        return AttentionOutput(
            head_outputs,
            weights,
            self._contributions(weights, value),
            rates.sum(dim=1),
            pooling.sum(dim=1),
        )

    def attend_first(self, inputs: Tensor) -> AttentionOutput:
        """Run attention for the first query alone; keys and values are of all tokens.

        Keys serve one query only, so they are computed just where scores are not linear in inputs.
        """
        inputs = inputs.to(self.dtype)
        query = self._normalized_query(self._project_part(inputs[:, :1], 0))
        bias = None if self.score_bias is None else self.score_bias()
        if is_active(self.key_norm) or self.rotate is not None or bias is not None:
            weights = _first_row(query, self._final_key(self._project_part(inputs, 1)), bias)
        else:
            scale = query.shape[-1] ** -0.5
            weights = pooled_weights_from_inputs(query, inputs, self._projection(1)[0], scale)
        return self._with_rates(None, weights, self._project_part(inputs, 2))

    def _with_rates(
        self, head_outputs: Tensor | None, weights: Tensor, value: Tensor
    ) -> AttentionOutput:
        """Return what the first query got, given its plain weights."""
        contributions = self._contributions(weights, value)
        if head_outputs is None:
            head_outputs = contributions.sum(dim=1, keepdim=True)
        inner, outer = self._rates(head_outputs[:, :1])
        for rate in (inner, outer):
            if rate is not None:
                weights = weights * rate[..., None]
                contributions = contributions * rate[..., None, None]
        outer_rate = None if outer is None else outer[:, 0]
        return AttentionOutput(head_outputs, weights, contributions, outer_rate)

    def _rates(self, head_outputs: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return one over the deviations of the inner and outer norm, [batch, query]."""
        inner = outer = None
        if is_active(self.inner_norm):
            inner = 1 / statistics(head_outputs.flatten(2), self.inner_norm.eps)[1]
        if is_active(self.outer_norm):
            outer = 1 / statistics(self._projected(head_outputs), self.outer_norm.eps)[1]
        return inner, outer

    def _projected(self, head_outputs: Tensor) -> Tensor:
        head_outputs = head_outputs.flatten(2)
        if is_active(self.inner_norm):
            head_outputs = normalize(self.inner_norm, head_outputs)
        projected: Tensor = self.out(head_outputs.to(self.out.weight.dtype))
        return projected

    def _projection(self, part: int) -> tuple[Tensor, Tensor | None]:
        """Return weight and bias of queries (0), keys (1) or values (2)."""
        if len(self.weights) == 3:
            return self.weights[part], self.biases[part]
        joint = self.biases[0]
        return self.weights[0].chunk(3)[part], None if joint is None else joint.chunk(3)[part]

    def _project_part(self, inputs: Tensor, part: int) -> Tensor:
        return split_heads(F.linear(inputs, *self._projection(part)), self.n_heads)[0]

    def _project(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, each [batch, head, token, d_head]."""
        inputs = inputs.to(self.dtype)
        if len(self.weights) == 3:
            query, key, value = (self._project_part(inputs, part) for part in range(3))
        else:
            joint = F.linear(inputs, self.weights[0], self.biases[0])
            query, key, value = split_heads(joint, self.n_heads, n_parts=3)
        query = self._normalized_query(query)
        if self.rotate is not None:
            query = self.rotate(query)
        return query, self._final_key(key), value

    def _normalized_query(self, query: Tensor) -> Tensor:
        return normalize(self.query_norm, query).to(query) if is_active(self.query_norm) else query

    def _final_key(self, key: Tensor) -> Tensor:
        if is_active(self.key_norm):
            key = normalize(self.key_norm, key).to(key)
        return key if self.rotate is None else self.rotate(key)

    def _apply_head_scale(self, head_outputs: Tensor) -> Tensor:
        """Apply the learned factor of each head, if there is one, to [..., head, d_head]."""
        if self.head_scale is None:
            return head_outputs
        return head_outputs * self.head_scale.reshape(-1, 1).to(head_outputs.dtype)

    def _contributions(self, weights: Tensor, value: Tensor) -> Tensor:
        values = rearrange(value, "batch head token d -> batch token head d")
        return self._apply_head_scale(head_contributions(weights, values))


def _first_row(query: Tensor, key: Tensor, bias: Tensor | None) -> Tensor:
    """Return how much the first query attends to each token, [batch, token, head]."""
    row: Tensor = _scores(query[:, :, :1], key, bias).softmax(dim=-1)[:, :, 0]
    return row.mT


def _scores(query: Tensor, key: Tensor, bias: Tensor | None) -> Tensor:
    """Return what the softmax runs over, in single precision or wider.

    Those are the scores of the first queries, if `query` holds fewer than `bias`.
    """
    scores: Tensor = (widen(query) * query.shape[-1] ** -0.5) @ widen(key).mT
    return scores if bias is None else scores + bias[:, :, : query.shape[2]].to(scores)


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
