"""open_clip's own vision transformer, as in most released CLIP models, and CLIPA.

Pooling of the class token or of the mean of all patches; any norm, scale and activation; any of
open_clip's two attention classes: torch's ``nn.MultiheadAttention`` (open_clip 2.26 to 3.3) and
open_clip's own ``Attention`` (custom blocks, and later versions), which has no ``embed_dim`` and no
``batch_first``. So only weights and the number of heads are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from napari_clip_heatmap.clip.families._attention import Attention
from napari_clip_heatmap.clip.families._block import BlockParts, Mlp, ResidualBlock
from napari_clip_heatmap.clip.families._head import (
    LinearHead,
    Mean,
    Projection,
    normalize,
    settle_normalized_mean,
)
from napari_clip_heatmap.clip.families._refusal import raise_if_missing, unsupported_norms
from napari_clip_heatmap.clip.families._resizing import interpolate_positions, shallow_copy
from napari_clip_heatmap.core.tower import Tower

__all__ = ["TokenEmbedding", "adapt", "height_and_width", "is_native", "resize"]


def adapt(visual: Any) -> Tower | None:
    """Return the tower, or None where `visual` is no such vision transformer."""
    if not is_native(visual) or getattr(visual, "attn_pool", None) is not None:
        return None
    raise_if_missing("vision transformer", [*_missing_in_head(visual), *_missing_in_trunk(visual)])
    blocks = visual.transformer.resblocks
    d_model, d_embed = visual.proj.shape
    mean = getattr(visual, "pool_type", "tok") == "avg"
    pooling = Mean(n_skipped=1) if mean else None
    late_norm = getattr(visual, "final_ln_after_pool", False)
    return Tower(
        family="native",
        embed=TokenEmbedding(visual),
        blocks=tuple(ResidualBlock(block, _read, pooling) for block in blocks),
        head=LinearHead(visual.ln_post, lambda: Projection(visual.proj), pooling),
        n_heads=blocks[0].attn.num_heads,
        d_model=d_model,
        d_embed=d_embed,
        image_size=height_and_width(visual.image_size),
        patch_size=height_and_width(visual.patch_size),
        settle=settle_normalized_mean if mean and not late_norm else None,
    )


def resize(visual: Any, image_size: tuple[int, int]) -> Any:
    """Return the same transformer for images of another size."""
    old, patch = height_and_width(visual.image_size), height_and_width(visual.patch_size)
    visual = shallow_copy(visual)
    grid = image_size[0] // patch[0], image_size[1] // patch[1]
    visual.positional_embedding = interpolate_positions(
        visual.positional_embedding, (old[0] // patch[0], old[1] // patch[1]), grid
    )
    visual.image_size, visual.grid_size = image_size, grid
    return visual


def is_native(visual: Any) -> bool:
    """Tell whether `visual` is built as open_clip's vision transformer."""
    parts = ("conv1", "class_embedding", "positional_embedding", "transformer", "ln_post")
    blocks = getattr(getattr(visual, "transformer", None), "resblocks", None)
    return blocks is not None and all(hasattr(visual, part) for part in parts)


@dataclass(frozen=True)
class TokenEmbedding:
    """Patches, class token and positions: the residual stream before the first block."""

    visual: Any

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the stream of a preprocessed batch, [batch, token, d_model]."""
        visual = self.visual
        patches = visual.conv1(batch.to(visual.conv1.weight.dtype))
        patches = rearrange(patches, "batch d_model y x -> batch (y x) d_model")
        cls = visual.class_embedding.to(patches.dtype).expand(len(batch), 1, -1)
        stream = torch.cat([cls, patches], dim=1) + visual.positional_embedding.to(patches.dtype)
        return normalize(visual.ln_pre, stream)


def _read(block: Any) -> BlockParts:
    attn = block.attn
    return BlockParts(
        norm_1=block.ln_1,
        attention=Attention(
            weights=(attn.in_proj_weight,),
            biases=(attn.in_proj_bias,),
            n_heads=attn.num_heads,
            out=attn.out_proj,
            query_norm=getattr(attn, "ln_q", None),
            key_norm=getattr(attn, "ln_k", None),
            head_scale=getattr(attn, "head_scale", None),
            inner_norm=getattr(attn, "ln_inner", None),
            outer_norm=getattr(block, "ln_attn", None),
            layer_scale=getattr(block.ls_1, "gamma", None),
        ),
        norm_2=block.ln_2,
        mlp=Mlp(block.mlp, layer_scale=getattr(block.ls_2, "gamma", None)),
    )


def _missing_in_trunk(visual: Any) -> Iterator[str]:
    yield from unsupported_norms(visual, ["ln_pre", "ln_post"])
    for block in visual.transformer.resblocks:
        yield from _missing_in(block)


def height_and_width(size: int | tuple[int, int]) -> tuple[int, int]:
    """Return height and width."""
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def _missing_in_head(visual: Any) -> Iterator[str]:
    if getattr(visual, "pool_type", "tok") not in ("tok", "avg"):
        yield f"pooling of type {visual.pool_type!r}"
    if getattr(visual, "proj", None) is None:
        yield "no projection to the joint space (proj)"


def _missing_in(block: Any) -> Iterator[str]:
    parts = ("ln_1", "attn", "ls_1", "ln_2", "mlp", "ls_2")
    absent = [part for part in parts if not hasattr(block, part)]
    if absent:
        yield f"a block of type {type(block).__name__} without {', '.join(absent)}"
        return
    yield from unsupported_norms(block, ["ln_1", "ln_2", "ln_attn"])
    attn = block.attn
    if getattr(attn, "in_proj_weight", None) is None or not hasattr(attn, "num_heads"):
        yield f"attention of type {type(attn).__name__} without joint query-key-value weights"
        return
    yield from unsupported_norms(attn, ["ln_q", "ln_k", "ln_inner"])
    if getattr(attn, "logit_scale", None) is not None:
        yield "scaled cosine attention (scaled_cosine_attn)"
    if getattr(attn, "bias_k", None) is not None or getattr(attn, "add_zero_attn", False):
        yield "extra keys and values (bias_k, add_zero_attn)"
