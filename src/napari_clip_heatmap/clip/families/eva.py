"""EVA01 and EVA02-B/L: norms before attention and MLP, and in EVA02 one over the heads, too.

That inner norm stands between the heads and the output projection. With its deviation frozen it is
linear, as the last norm is: its gain goes into the projection, its rate into the weights.
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
    return eva_tower(visual, "eva", "EvaBlock", _read)


def _read(trunk: Any, block: Any) -> BlockParts:
    return BlockParts(
        norm_1=block.norm1,
        attention=read_attention(trunk, block.attn, outer_norm=None, layer_scale=block.gamma_1),
        norm_2=block.norm2,
        mlp=Mlp(block.mlp, layer_scale=block.gamma_2),
    )
