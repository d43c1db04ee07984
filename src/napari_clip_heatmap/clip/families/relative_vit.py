"""timm's vision transformer with relative positions: a bias of the scores, not of the stream.

A bias depends on where query and token lie. It changes how much is attended to, as rotary positions
do; what is taken from a token is as linear as in any transformer. Norms may stand before attention
and MLP, or after them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import timm
import torch
from timm.models.vision_transformer_relpos import VisionTransformerRelPos
from torch import Tensor

from napari_clip_heatmap.clip.families._attention import Attention
from napari_clip_heatmap.clip.families._block import BlockParts, Mlp
from napari_clip_heatmap.clip.families._head import widen
from napari_clip_heatmap.clip.families._refusal import raise_if_missing, unsupported_norms
from napari_clip_heatmap.clip.families._resizing import copy_sharing_weights
from napari_clip_heatmap.clip.families._trunk import missing_after_blocks, timm_tower, timm_trunk
from napari_clip_heatmap.clip.weights import eval_mode
from napari_clip_heatmap.core.tower import Tower
from napari_clip_heatmap.errors import UnsupportedModelError

__all__ = ["adapt", "resize"]

NORMS_BEFORE, NORMS_AFTER = "RelPosBlock", "ResPostRelPosBlock"


def adapt(visual: Any) -> Tower | None:
    """Return the tower, or None where `visual` is no such transformer."""
    trunk = timm_trunk(visual, VisionTransformerRelPos)
    if trunk is None:
        return None
    missing = [lack for block in trunk.blocks for lack in _missing_in(block)]
    raise_if_missing(
        "vision transformer with relative positions", [*missing_after_blocks(visual), *missing]
    )
    return timm_tower(visual, "relative_vit", partial(_read, trunk), _Embedding(trunk))


def resize(visual: Any, image_size: tuple[int, int]) -> Any:
    """Return the same transformer for images of another size.

    Biases that a small network makes are made for the new distances, others are interpolated.
    """
    if not hasattr(visual.trunk, "set_input_size"):
        raise UnsupportedModelError(
            f"timm {timm.__version__} cannot give a vision transformer with relative positions "
            f"another image size than {visual.trunk.patch_embed.img_size}; got {image_size}. "
            "A newer timm can: `pip install -U timm`."
        )
    visual = copy_sharing_weights(visual)
    with torch.device(next(visual.parameters()).device):
        visual.trunk.set_input_size(image_size)
    visual.image_size = image_size
    return visual


@dataclass(frozen=True)
class _Embedding:
    """Patches and the class token, if there is one; they carry no positions."""

    trunk: Any

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the stream of a preprocessed batch, [batch, token, d_model]."""
        trunk = self.trunk
        patches = trunk.patch_embed(batch.to(next(trunk.parameters()).dtype))
        if trunk.cls_token is not None:
            cls = trunk.cls_token.to(patches).expand(len(patches), -1, -1)
            patches = torch.cat([cls, patches], dim=1)
        return widen(patches)


def _read(trunk: Any, block: Any) -> BlockParts:
    after, attn = type(block).__name__ == NORMS_AFTER, block.attn
    positions = trunk.shared_rel_pos if attn.rel_pos is None else attn.rel_pos
    attention = Attention(
        weights=(attn.qkv.weight,),
        biases=(attn.qkv.bias,),
        n_heads=attn.num_heads,
        out=attn.proj,
        query_norm=attn.q_norm,
        key_norm=attn.k_norm,
        outer_norm=block.norm1 if after else None,
        layer_scale=None if after else getattr(block.ls1, "gamma", None),
        score_bias=None if positions is None else partial(_bias, positions),
    )
    if after:
        mlp = Mlp(block.mlp, norm_after=block.norm2)
        return BlockParts(norm_1=None, attention=attention, norm_2=None, mlp=mlp)
    mlp = Mlp(block.mlp, layer_scale=getattr(block.ls2, "gamma", None))
    return BlockParts(norm_1=block.norm1, attention=attention, norm_2=block.norm2, mlp=mlp)


def _bias(positions: Any) -> Tensor:
    """Return what is added to the scores, [1, head, query, token]."""
    with eval_mode(positions):  # the network that makes it has a dropout
        bias: Tensor = positions.get_bias()
    return bias


def _missing_in(block: Any) -> Iterator[str]:
    if type(block).__name__ not in (NORMS_BEFORE, NORMS_AFTER):
        yield f"a block of type {type(block).__name__}"
        return
    if type(block.attn).__name__ != "RelPosAttention":
        yield f"attention of type {type(block.attn).__name__}"
        return
    yield from unsupported_norms(block, ["norm1", "norm2"])
    yield from unsupported_norms(block.attn, ["q_norm", "k_norm"])
