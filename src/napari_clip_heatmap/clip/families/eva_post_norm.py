"""EVA02-E: norms after attention and MLP, ``x + LN(attn(x))``, then ``x + LN(mlp(x))``.

With the first one's deviation frozen it is linear in what attention took from each token.
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
    trunk = eva_trunk(visual, "EvaBlockPostNorm")
    if trunk is None:
        return None
    refuse("EVA transformer", [*missing_in_end(visual), *missing_in_blocks(trunk)])
    pooling, read = pooling_of(trunk), partial(_read, trunk)
    blocks = tuple(ResidualBlock(block, read, pooling) for block in trunk.blocks)
    return tower_of(visual, "eva_post_norm", blocks, pooling, trunk.blocks[0].attn.num_heads)


def _read(trunk: Any, block: Any) -> Parts:
    attention = read_attention(trunk, block.attn, outer_norm=block.norm1, layer_scale=None)
    return Parts(
        norm_1=None,
        attention=attention,
        norm_2=None,
        mlp=Mlp(block.mlp, norm_after=block.norm2),
    )
