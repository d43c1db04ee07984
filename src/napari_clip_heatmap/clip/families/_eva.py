"""timm's EVA transformers: what those with norms before and with norms after have in common.

Rotary positions turn queries and keys; they change how much is attended to, not what is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from timm.layers import apply_rot_embed_cat
from timm.models.eva import Eva
from torch import Tensor

from napari_clip_heatmap.clip.families._attention import Attention
from napari_clip_heatmap.clip.families._block import BlockParts
from napari_clip_heatmap.clip.families._refusal import raise_if_missing, unsupported_norms
from napari_clip_heatmap.clip.families._trunk import missing_after_blocks, timm_tower, timm_trunk
from napari_clip_heatmap.core.tower import Tower

__all__ = ["eva_tower", "read_attention"]


def eva_tower(
    visual: Any, family: str, block: str, read: Callable[[Any, Any], BlockParts]
) -> Tower | None:
    """Return the tower of an EVA transformer, or None where `visual` is none with such blocks.

    Those that pool by attention are another family's.

    Parameters
    ----------
    visual : nn.Module
    family : str
    block : str
        Name of the class of its blocks.
    read : callable(trunk, block) -> Parts
    """
    trunk = timm_trunk(visual, Eva)
    if trunk is None or trunk.attn_pool is not None:
        return None
    if type(trunk.blocks[0]).__name__ != block:
        return None
    raise_if_missing("EVA transformer", [*missing_after_blocks(visual), *_missing_in_blocks(trunk)])
    return timm_tower(visual, family, partial(read, trunk))


def read_attention(trunk: Any, attn: Any, *, outer_norm: Any, layer_scale: Any) -> Attention:
    """Return the parts of a block's attention."""
    if attn.qkv is None:
        parts = (attn.q_proj, attn.k_proj, attn.v_proj)
        weights, biases = tuple(p.weight for p in parts), tuple(p.bias for p in parts)
    else:
        weights, biases = (attn.qkv.weight,), (_joint_bias(attn),)
    return Attention(
        weights=weights,
        biases=biases,
        n_heads=attn.num_heads,
        out=attn.proj,
        query_norm=attn.q_norm,
        key_norm=attn.k_norm,
        inner_norm=attn.norm,
        outer_norm=outer_norm,
        layer_scale=layer_scale,
        rotate=None if trunk.rope is None else _Rotation(trunk.rope, attn),
    )


@dataclass(frozen=True)
class _Rotation:
    """Turn queries or keys by their patch's place; class token and registers stay."""

    rope: Any
    attn: Any

    def __call__(self, heads: Tensor) -> Tensor:
        first = self.attn.num_prefix_tokens
        options = {"half": True} if getattr(self.attn, "rotate_half", False) else {}
        turned = apply_rot_embed_cat(heads[:, :, first:], self.rope.get_embed(), **options)
        return torch.cat([heads[:, :, :first], turned], dim=2).to(heads)


def _missing_in_blocks(trunk: Any) -> Iterator[str]:
    if trunk.rope is not None and not hasattr(trunk.rope, "feat_shape"):
        yield f"rotary positions of type {type(trunk.rope).__name__}"
    if getattr(trunk, "rope_mixed", False):
        yield "rotary positions that differ by layer (rope_type 'mixed')"
    for block in trunk.blocks:
        yield from unsupported_norms(block, ["norm1", "norm2"])
        yield from unsupported_norms(block.attn, ["q_norm", "k_norm", "norm"])
        if getattr(block.attn, "gate", None) is not None:
            yield "gated attention (gate)"
        if getattr(block.attn, "num_kv_groups", 1) > 1:
            yield "keys and values shared by several heads (num_kv_heads)"


def _joint_bias(attn: Any) -> Tensor | None:
    if getattr(attn, "q_bias", None) is None:  # the bias is the projection's own, if there is one
        bias: Tensor | None = attn.qkv.bias
        return bias
    return torch.cat([attn.q_bias, attn.k_bias, attn.v_bias])
