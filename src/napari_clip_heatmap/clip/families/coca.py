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
from napari_clip_heatmap.clip.families._head import LinearHead, Projection
from napari_clip_heatmap.clip.families._latent import Latent, LatentBlock, Linear, nothing
from napari_clip_heatmap.clip.families._norms import normed
from napari_clip_heatmap.clip.families._refusal import other_norms, refuse
from napari_clip_heatmap.clip.families.native import Embedding, is_native, pair, resize
from napari_clip_heatmap.clip.weights import eval_mode
from napari_clip_heatmap.core.tower import Tower

__all__ = ["adapt", "resize"]


def adapt(visual: Any) -> Tower | None:
    """Return the tower, or None where `visual` is no such vision transformer."""
    pooler = getattr(visual, "attn_pool", None)
    if pooler is None or not is_native(visual):
        return None
    refuse("vision transformer with attentional pooling", _missing_in(visual))
    d_model, d_embed = visual.proj.shape
    return Tower(
        family="coca",
        embed=_LastTokens(visual),
        blocks=(LatentBlock(partial(_read, pooler)),),
        head=LinearHead(visual.ln_post, lambda: Projection(visual.proj)),
        n_heads=pooler.attn.num_heads,
        d_model=d_model,
        d_embed=d_embed,
        image_size=pair(visual.image_size),
        patch_size=pair(visual.patch_size),
        start=nothing(d_model),
    )


@dataclass(frozen=True)
class _LastTokens:
    """The whole transformer: the tokens that are pooled, normalised."""

    visual: Any

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the tokens of a preprocessed batch, [batch, token, d_model]."""
        visual = self.visual
        with eval_mode(visual.transformer):
            stream = Embedding(visual)(batch).to(visual.conv1.weight.dtype)
            return normed(visual.attn_pool.ln_k, visual.transformer(stream))


def _read(pooler: Any) -> Latent:
    attn = pooler.attn
    weights = (
        attn.in_proj_weight.chunk(3)
        if attn.in_proj_weight is not None
        else (attn.q_proj_weight, attn.k_proj_weight, attn.v_proj_weight)
    )
    biases = (None,) * 3 if attn.in_proj_bias is None else attn.in_proj_bias.chunk(3)
    first = normed(pooler.ln_q, pooler.query[:1]).to(weights[0].dtype)
    asked = F.linear(first, weights[0], biases[0])
    (query,) = split_heads(asked[None], attn.num_heads)
    return Latent(
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
    yield from other_norms(visual, ["ln_pre", "ln_post"])
    yield from other_norms(visual.attn_pool, ["ln_q", "ln_k"])
    attn = visual.attn_pool.attn
    if attn.bias_k is not None or attn.add_zero_attn:
        yield "extra keys and values (bias_k, add_zero_attn)"
