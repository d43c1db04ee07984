"""EVA01 and EVA02-B/L: norms before attention and MLP, and in EVA02 one over the heads, too.

That inner norm stands between the heads and the output projection. With its deviation frozen it is
linear, as the last norm is: its gain goes into the projection, its rate into the weights.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from napari_clip_heatmap.clip.families._block import Mlp, Parts, ResidualBlock
from napari_clip_heatmap.clip.families._refusal import refuse
from napari_clip_heatmap.clip.families._resizing import resize_trunk
from napari_clip_heatmap.clip.families._rotary import eva_trunk, missing_in_blocks, read_attention
from napari_clip_heatmap.clip.families._trunk import missing_in_end, pooling_of, tower_of
from napari_clip_heatmap.core.tower import Tower

__all__ = ["adapt", "resize"]

resize = resize_trunk


def adapt(visual: Any) -> Tower | None:
    """Return the tower, or None where `visual` is no such EVA transformer."""
    trunk = eva_trunk(visual, "EvaBlock")
    if trunk is None:
        return None
    refuse("EVA transformer", [*missing_in_end(visual), *missing_in_blocks(trunk)])
    pooling, read = pooling_of(trunk), partial(_read, trunk)
    blocks = tuple(ResidualBlock(block, read, pooling) for block in trunk.blocks)
    return tower_of(visual, "eva", blocks, pooling, trunk.blocks[0].attn.num_heads)


def _read(trunk: Any, block: Any) -> Parts:
    return Parts(
        norm_1=block.norm1,
        attention=read_attention(trunk, block.attn, outer_norm=None, layer_scale=block.gamma_1),
        norm_2=block.norm2,
        mlp=Mlp(block.mlp, layer_scale=block.gamma_2),
    )
