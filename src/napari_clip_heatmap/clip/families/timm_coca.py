"""CoCa on a timm transformer (CONCH): learned queries pool the trunk's last tokens by attention.

The embedding is that of the pooler's first query, as open_clip's CoCa has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from napari_clip_heatmap.clip.families._head import LinearHead, Projection, normalize
from napari_clip_heatmap.clip.families._latent import LatentBlock, zero_start
from napari_clip_heatmap.clip.families._refusal import raise_if_missing, unsupported_norms
from napari_clip_heatmap.clip.families._resizing import resize_trunk
from napari_clip_heatmap.clip.families._trunk import trunk_sizes
from napari_clip_heatmap.clip.families.coca import missing_in_pooler, read_pooler
from napari_clip_heatmap.clip.weights import eval_mode
from napari_clip_heatmap.core.tower import Tower

__all__ = ["adapt", "resize"]

resize = resize_trunk


def adapt(visual: Any) -> Tower | None:
    """Return the tower, or None where `visual` is no such transformer."""
    parts = ("trunk", "attn_pool", "ln_post", "proj")
    if not all(hasattr(visual, part) for part in parts):
        return None
    trunk, pooler = visual.trunk, visual.attn_pool
    if not isinstance(trunk, VisionTransformer):
        return None
    raise_if_missing("timm vision transformer with attentional pooling", _missing_in(visual))
    d_model, d_embed = visual.proj.shape
    image_size, patch_size = trunk_sizes(trunk)
    return Tower(
        family="timm_coca",
        embed=_LastTokens(visual),
        blocks=(LatentBlock(partial(read_pooler, pooler)),),
        head=LinearHead(visual.ln_post, lambda: Projection(visual.proj)),
        n_heads=pooler.attn.num_heads,
        d_model=d_model,
        d_embed=d_embed,
        image_size=image_size,
        patch_size=patch_size,
        n_prefix=trunk.num_prefix_tokens,
        start=zero_start(d_model),
    )


@dataclass(frozen=True)
class _LastTokens:
    """The whole trunk: the tokens that are pooled, normalized by the trunk and by the pooler."""

    visual: Any

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the tokens of a preprocessed batch, [batch, token, d_model]."""
        trunk = self.visual.trunk
        with eval_mode(trunk):
            tokens = trunk.forward_features(batch.to(next(trunk.parameters()).dtype))
        return normalize(self.visual.attn_pool.ln_k, tokens)


def _missing_in(visual: Any) -> Iterator[str]:
    yield from unsupported_norms(visual, ["ln_post"])
    yield from missing_in_pooler(visual.attn_pool)
