"""Read and change what attention does inside a tower, without touching the model.

Towers call ``torch.nn.functional.scaled_dot_product_attention``. Within `AttentionAccess` each such
call is computed in its parts, so that the softmax rows can be kept, differentiated or edited.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from napari_clip_heatmap.core.tower import Tower
from napari_clip_heatmap.errors import DecompositionError

__all__ = [
    "AttentionAccess",
    "AttentionRun",
    "run_with_attention",
    "unit_cosine",
]

EditWeights = Callable[[Tensor], Tensor]
"""Softmax rows [batch, head, query, token] to those that are used in their place."""


class AttentionAccess(TorchFunctionMode):
    """Compute fused attention in its parts, within a ``with`` block.

    Parameters
    ----------
    edit : callable, optional
        What becomes of the softmax rows of each call; by default they stay.

    Attributes
    ----------
    weights : list of Tensor [batch, head, query, token]
        The softmax rows that were used, one tensor a call, in order. Each can be differentiated
        with respect to, also where nothing else in the tower can.
    keys : list of Tensor [batch, head, token, d_head]
        What the rows were computed from, one tensor a call.
    scales : list of float
        The factor of the scores, one a call.
    """

    def __init__(self, edit: EditWeights | None = None) -> None:
        super().__init__()
        self._edit = edit
        self.weights: list[Tensor] = []
        self.keys: list[Tensor] = []
        self.scales: list[float] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Take over calls of fused attention; everything else goes on as it is."""
        if func is F.scaled_dot_product_attention:
            return self._attend(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *,
        attn_mask: Tensor | None = None,
        scale: float | None = None,
    ) -> Tensor:
        factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
        scores = query * factor @ key.mT
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            scores = scores.masked_fill(~attn_mask, -torch.inf)
        elif attn_mask is not None:  # added to the scores, such as relative positions
            scores = scores + attn_mask
        weights = scores.softmax(dim=-1)
        if self._edit is not None:
            weights = self._edit(weights)
        if torch.is_grad_enabled() and not weights.requires_grad:
            weights.requires_grad_(True)
        self.weights.append(weights)
        self.keys.append(key)
        self.scales.append(factor)
        return weights @ value


@dataclass(frozen=True)
class AttentionRun:
    """One run of a tower, with its attention.

    Parameters
    ----------
    streams : tuple of Tensor [batch, token, d_model]
        The residual stream that each layer reads, then what the last one leaves.
    weights, keys, scales
        Of each layer, as `AttentionAccess` has them.
    representation : Tensor [batch, d_embed]
        The image embedding, un-normalized.
    tower : Tower
        With the pooling fixed for this batch.
    """

    streams: tuple[Tensor, ...]
    weights: tuple[Tensor, ...]
    keys: tuple[Tensor, ...]
    scales: tuple[float, ...]
    representation: Tensor
    tower: Tower


def run_with_attention(
    tower: Tower, batch: Tensor, edit: EditWeights | None = None
) -> AttentionRun:
    """Run the tower with all queries of every layer, the last one's too; differentiable.

    Parameters
    ----------
    tower : Tower
    batch : Tensor [batch, rgb, y, x]
        Preprocessed images.
    edit : callable, optional
        As `AttentionAccess` takes it.

    Raises
    ------
    DecompositionError
        The tower's layers do not call fused attention once each.
    """
    stream = tower.embed(batch)
    tower = tower.settled(stream)
    streams = [stream]
    with AttentionAccess(edit) as access:
        for block in tower.blocks:
            stream = block.step(stream).resid_post
            streams.append(stream)
    if len(access.weights) != tower.n_layers:
        raise DecompositionError(
            f"The attention of a tower of family '{tower.family}' cannot be read or changed: its "
            f"{tower.n_layers} layers made {len(access.weights)} calls of fused attention; leave "
            "out the methods and tests that need it."
        )
    representation = tower.head.read(tower.head.pool(stream)).representation
    return AttentionRun(
        tuple(streams),
        tuple(access.weights),
        tuple(access.keys),
        tuple(access.scales),
        representation,
        tower,
    )


def unit_cosine(representation: Tensor, directions: Tensor) -> Tensor:
    """Return the cosine of each image with its own direction, [batch].

    Parameters
    ----------
    representation, directions : Tensor [batch, d_embed]
        The directions have length 1.
    """
    return (F.normalize(representation, dim=-1) * directions.to(representation)).sum(dim=-1)
