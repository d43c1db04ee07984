"""EVA02-E: norms after attention and MLP, ``x + LN(attn(x))``, then ``x + LN(mlp(x))``.

With the first one's deviation frozen it is linear in what attention took from each token.
"""

from __future__ import annotations

from typing import Any

from napari_clip_heatmap.clip.families._block import BlockParts, Mlp
from napari_clip_heatmap.clip.families._eva import eva_tower, read_attention
from napari_clip_heatmap.clip.families._resizing import resize_trunk
from napari_clip_heatmap.core.tower import Tower

__all__ = ["adapt", "resize"]

resize = resize_trunk


def adapt(visual: Any) -> Tower | None:
    """Return the tower, or None where `visual` is no such EVA transformer."""
    return eva_tower(visual, "eva_post_norm", "EvaBlockPostNorm", _read)


def _read(trunk: Any, block: Any) -> BlockParts:
    attention = read_attention(trunk, block.attn, outer_norm=block.norm1, layer_scale=None)
    return BlockParts(
        norm_1=None,
        attention=attention,
        norm_2=None,
        mlp=Mlp(block.mlp, norm_after=block.norm2),
    )
