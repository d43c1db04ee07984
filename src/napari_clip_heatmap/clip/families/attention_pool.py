"""SigLIP, SigLIP 2 and PE-Core: a timm trunk whose last tokens a latent query pools by attention.

Exact for the last tokens. The MLP of the pooling belongs to no token. The trunk may be a NaFlexViT,
which takes images of any size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from timm.layers import AttentionPoolLatent
from torch import Tensor, nn

from napari_clip_heatmap.clip.families._attention import split_heads
from napari_clip_heatmap.clip.families._head import LinearHead, is_active, normalize
from napari_clip_heatmap.clip.families._latent import (
    LatentAttention,
    LatentBlock,
    Linear,
    zero_start,
)
from napari_clip_heatmap.clip.families._refusal import raise_if_missing, unsupported_norms
from napari_clip_heatmap.clip.families._resizing import resize_any_size, resize_trunk
from napari_clip_heatmap.clip.families._trunk import (
    final_projection,
    missing_in_wrapper,
    timm_trunk,
    trunk_sizes,
)
from napari_clip_heatmap.clip.families.native import height_and_width
from napari_clip_heatmap.clip.weights import eval_mode
from napari_clip_heatmap.core.tower import Tower

__all__ = ["adapt", "resize"]


def adapt(visual: Any) -> Tower | None:
    """Return the tower, or None where `visual` has no such attention pooling."""
    trunk = timm_trunk(visual, nn.Module)
    pool = getattr(trunk, "attn_pool", None)
    if not isinstance(pool, AttentionPoolLatent):
        return None
    raise_if_missing(
        "attention-pooling tower", [*_missing_in(trunk, pool), *missing_in_wrapper(visual)]
    )
    d_model = pool.out_features
    image_size, patch_size = _sizes(visual)
    return Tower(
        family="attention_pool",
        embed=_LastTokens(trunk),
        blocks=(LatentBlock(partial(_read, pool)),),
        head=LinearHead(trunk.fc_norm, lambda: final_projection(visual)),
        n_heads=pool.num_heads,
        d_model=d_model,
        d_embed=final_projection(visual).weight.shape[1],
        image_size=image_size,
        patch_size=patch_size,
        n_prefix=trunk.num_prefix_tokens if _pools_prefix(trunk) else 0,
        start=zero_start(d_model),
    )


def resize(visual: Any, image_size: tuple[int, int]) -> Any:
    """Return the same tower for images of another size."""
    flexible = hasattr(visual.trunk, "embeds")
    return (resize_any_size if flexible else resize_trunk)(visual, image_size)


def _sizes(visual: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return height and width of the image and of a patch, pixels."""
    if hasattr(visual.trunk, "embeds"):  # NaFlexViT takes any size: what open_clip says holds
        return height_and_width(visual.image_size), height_and_width(visual.trunk.embeds.patch_size)
    return trunk_sizes(visual.trunk)


@dataclass(frozen=True)
class _LastTokens:
    """The whole trunk: the tokens that are pooled, normalized."""

    trunk: Any

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the tokens of a preprocessed batch, [batch, token, d_model]."""
        trunk = self.trunk
        with eval_mode(trunk):
            tokens = trunk.forward_features(batch.to(next(trunk.parameters()).dtype))
        if trunk.attn_pool.pos_embed is not None:
            tokens = tokens + trunk.attn_pool.pos_embed.to(tokens)
        kept: Tensor = tokens if _pools_prefix(trunk) else tokens[:, trunk.num_prefix_tokens :]
        return kept


def _pools_prefix(trunk: Any) -> bool:
    """Tell whether class token and registers are pooled too: EVA's always, else as it is set."""
    return bool(getattr(trunk, "pool_include_prefix", True))


def _read(pool: Any) -> LatentAttention:
    (query,) = split_heads(pool.q(pool.latent), pool.num_heads)
    if is_active(pool.q_norm):
        query = normalize(pool.q_norm, query).to(query)
    key, value = pool.kv.weight.chunk(2)
    key_bias, value_bias = (None, None) if pool.kv.bias is None else pool.kv.bias.chunk(2)
    return LatentAttention(
        query=query,
        key=Linear(key, key_bias),
        value=Linear(value, value_bias),
        out=Linear(pool.proj.weight, pool.proj.bias),
        key_norm=pool.k_norm,
        mlp=None if pool.mlp is None else lambda pooled: pool.mlp(pool.norm(pooled)),
    )


def _missing_in(trunk: Any, pool: Any) -> Iterator[str]:
    if pool.latent.shape[1] != 1:
        yield f"{pool.latent.shape[1]} latent queries (latent_len)"
    if not isinstance(pool.proj, nn.Linear):
        yield "attention pooling without output projection"
    yield from unsupported_norms(pool, ["q_norm", "k_norm"])
    yield from unsupported_norms(trunk, ["fc_norm"])
    if not hasattr(trunk, "num_prefix_tokens") or not (
        hasattr(trunk, "patch_embed") or hasattr(trunk, "embeds")
    ):
        yield f"a trunk of type {type(trunk).__name__} under the attention pooling"
