"""CoCa: open_clip's vision transformer, whose last tokens learned queries pool by attention.

The embedding is that of the pooler's first query; the others are for the caption decoder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from napari_clip_heatmap.clip.families._attention import split_heads
from napari_clip_heatmap.clip.families._head import LinearHead, Projection, normalize
from napari_clip_heatmap.clip.families._latent import (
    LatentAttention,
    LatentBlock,
    Linear,
    zero_start,
)
from napari_clip_heatmap.clip.families._refusal import raise_if_missing, unsupported_norms
from napari_clip_heatmap.clip.families.native import (
    TokenEmbedding,
    height_and_width,
    is_native,
    resize,
)
from napari_clip_heatmap.clip.weights import eval_mode
from napari_clip_heatmap.core.tower import Tower

__all__ = ["adapt", "missing_in_pooler", "read_pooler", "resize"]


def adapt(visual: Any) -> Tower | None:
    """Return the tower, or None where `visual` is no such vision transformer."""
    pooler = getattr(visual, "attn_pool", None)
    if pooler is None or not is_native(visual):
        return None
    raise_if_missing("vision transformer with attentional pooling", _missing_in(visual))
    d_model, d_embed = visual.proj.shape
    return Tower(
        family="coca",
        embed=_LastTokens(visual),
        blocks=(LatentBlock(partial(read_pooler, pooler)),),
        head=LinearHead(visual.ln_post, lambda: Projection(visual.proj)),
        n_heads=pooler.attn.num_heads,
        d_model=d_model,
        d_embed=d_embed,
        image_size=height_and_width(visual.image_size),
        patch_size=height_and_width(visual.patch_size),
        start=zero_start(d_model),
    )


@dataclass(frozen=True)
class _LastTokens:
    """The whole transformer: the tokens that are pooled, normalized."""

    visual: Any

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the tokens of a preprocessed batch, [batch, token, d_model]."""
        visual = self.visual
        with eval_mode(visual.transformer):
            stream = TokenEmbedding(visual)(batch).to(visual.conv1.weight.dtype)
            return normalize(visual.attn_pool.ln_k, visual.transformer(stream))


def read_pooler(pooler: Any) -> LatentAttention:
    """Return the parts of open_clip's attentional pooler, its first query alone."""
    attn = pooler.attn
    weights = (
        attn.in_proj_weight.chunk(3)
        if attn.in_proj_weight is not None
        else (attn.q_proj_weight, attn.k_proj_weight, attn.v_proj_weight)
    )
    biases = (None,) * 3 if attn.in_proj_bias is None else attn.in_proj_bias.chunk(3)
    first = normalize(pooler.ln_q, pooler.query[:1]).to(weights[0].dtype)
    projected = F.linear(first, weights[0], biases[0])
    (query,) = split_heads(projected[None], attn.num_heads)
    return LatentAttention(
        query=query,
        key=Linear(weights[1], biases[1]),
        value=Linear(weights[2], biases[2]),
        out=Linear(attn.out_proj.weight, attn.out_proj.bias),
    )


def _missing_in(visual: Any) -> Iterator[str]:
    if getattr(visual, "attn_pool_contrastive", None) is not None:
        yield f"two attentional poolings ({visual.attn_pool_type})"
    if visual.pool_type != "tok":
        yield f"pooling of type {visual.pool_type!r} after the attentional one"
    if getattr(visual, "proj", None) is None:
        yield "no projection to the joint space (proj)"
    yield from unsupported_norms(visual, ["ln_pre", "ln_post"])
    yield from missing_in_pooler(visual.attn_pool)


def missing_in_pooler(pooler: Any) -> Iterator[str]:
    """Name what stands in the way in open_clip's attentional pooler."""
    yield from unsupported_norms(pooler, ["ln_q", "ln_k"])
    attn = pooler.attn
    if attn.bias_k is not None or attn.add_zero_attn:
        yield "extra keys and values (bias_k, add_zero_attn)"
