"""One hidden layer between the pooled features and the embedding, linear once its gate is held.

``act(a) = g(a) a`` with the gate ``g(a) = act(a) / a`` (GELU: ``g = Phi``). With each unit's gate,
and the deviation of a norm before the layer, held at their actual values, the layer is affine: what
each place adds to the hidden vector is exact, and the sum over places is what the layer gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from napari_clip_heatmap.clip.families._head import is_active, scale_by_gain, widen
from napari_clip_heatmap.core.attention import statistics

__all__ = ["GatedSum", "HiddenLayer", "missing_in_mlp"]


@dataclass(frozen=True)
class GatedSum:
    """What a hidden layer gives for the sum of some terms.

    ``output = contributions.sum(dim=1) + constant``

    Parameters
    ----------
    contributions : Tensor [batch, term, hidden]
        Of each term, the gate of every unit held at its actual value.
    constant : Tensor [batch, hidden]
        Biases of norm and layer, through the same gates.
    output : Tensor [batch, hidden]
        The layer's actual output.
    """

    contributions: Tensor
    constant: Tensor
    output: Tensor


@dataclass(frozen=True)
class HiddenLayer:
    """``activation(linear(norm(x)))``.

    Parameters
    ----------
    norm : nn.LayerNorm or nn.Identity or None
    linear : nn.Linear
    activation : nn.Module
        Maps zero to zero, each unit by itself.
    """

    norm: Any
    linear: Any
    activation: Any

    def __call__(self, terms: Tensor) -> GatedSum:
        """Return the layer's output for the sum of terms [batch, term, d_model], split by term."""
        terms = widen(terms)
        weight, bias = widen(self.linear.weight), self.linear.bias
        shift = weight.new_zeros(len(weight)) if bias is None else widen(bias)
        if is_active(self.norm):
            _, sigma = statistics(terms.sum(dim=1), self.norm.eps)
            centered = terms - terms.mean(dim=-1, keepdim=True)
            terms = scale_by_gain(self.norm, centered / sigma[:, None, None], dim=-1)
            if self.norm.bias is not None:
                shift = shift + weight @ widen(self.norm.bias)
        inner = terms @ weight.mT
        total = inner.sum(dim=1) + shift
        output = self.activation(total)
        gate = _gate(total, output)
        return GatedSum(inner * gate[:, None], shift * gate, output)


def _gate(total: Tensor, output: Tensor) -> Tensor:
    """Return ``output / total``; at a total of zero nothing passes, so any finite gate is exact."""
    return torch.where(total == 0, 0, output / torch.where(total == 0, 1, total))


def missing_in_mlp(mlp: Any) -> Iterator[str]:
    """Name what stands in the way in an MLP of the parts fc1, act, norm, fc2."""
    absent = [part for part in ("fc1", "act", "fc2") if not hasattr(mlp, part)]
    if absent:
        yield f"an MLP of type {type(mlp).__name__} without {', '.join(absent)}"
        return
    if not (isinstance(mlp.fc1, nn.Linear) and isinstance(mlp.fc2, nn.Linear)):
        yield "an MLP whose layers are not linear"
    if is_active(getattr(mlp, "norm", None)):
        yield f"a norm of type {type(mlp.norm).__name__} inside the MLP"
    if list(mlp.act.parameters()) or mlp.act(torch.zeros(1, device="cpu")).item() != 0:
        yield (
            f"an activation of type {type(mlp.act).__name__} that does not map zero to zero, or "
            "that has weights"
        )
