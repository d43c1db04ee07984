"""timm's vision transformer with a linear head: BiomedCLIP, QuiltNet-PMB, MobileCLIP-B and others.

Pooling of the class token or of a mean of tokens, before or after the last norm. The stem may be
convolutional: a patch is then a cell of the stem's map.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from timm.models.vision_transformer import VisionTransformer

from napari_clip_heatmap.clip.families._attention import Attention
from napari_clip_heatmap.clip.families._block import BlockParts, Mlp
from napari_clip_heatmap.clip.families._refusal import raise_if_missing, unsupported_norms
from napari_clip_heatmap.clip.families._resizing import resize_trunk
from napari_clip_heatmap.clip.families._trunk import missing_after_blocks, timm_tower, timm_trunk
from napari_clip_heatmap.core.tower import Tower

__all__ = ["adapt", "resize"]

resize = resize_trunk

ATTENTION_POOL = "AttentionPoolLatent"
"""Another family's: pooling by a latent query (see `attention_pool`)."""


def adapt(visual: Any) -> Tower | None:
    """Return the tower, or None where `visual` is no such vision transformer."""
    trunk = timm_trunk(visual, VisionTransformer)
    if trunk is None or type(trunk.attn_pool).__name__ == ATTENTION_POOL:
        return None
    missing = [lack for block in trunk.blocks for lack in _missing_in(block)]
    raise_if_missing("timm vision transformer", [*missing_after_blocks(visual), *missing])
    return timm_tower(visual, "timm_vit", _read)


def _read(block: Any) -> BlockParts:
    attn = block.attn
    return BlockParts(
        norm_1=block.norm1,
        attention=Attention(
            weights=(attn.qkv.weight,),
            biases=(attn.qkv.bias,),
            n_heads=attn.num_heads,
            out=attn.proj,
            query_norm=attn.q_norm,
            key_norm=attn.k_norm,
            inner_norm=getattr(attn, "norm", None),
            layer_scale=getattr(block.ls1, "gamma", None),
        ),
        norm_2=block.norm2,
        mlp=Mlp(block.mlp, layer_scale=getattr(block.ls2, "gamma", None)),
    )


def _missing_in(block: Any) -> Iterator[str]:
    if type(block).__name__ != "Block":
        yield f"a block of type {type(block).__name__}"
        return
    if type(block.attn).__name__ != "Attention":
        yield f"attention of type {type(block.attn).__name__}"
        return
    if getattr(block.attn, "gate", None) is not None:
        yield "gated attention (gate)"
    yield from unsupported_norms(block, ["norm1", "norm2"])
    yield from unsupported_norms(block.attn, ["q_norm", "k_norm", "norm"])
