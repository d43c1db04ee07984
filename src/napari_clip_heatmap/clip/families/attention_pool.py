"""SigLIP, SigLIP 2 and PE-Core: a timm trunk whose last tokens a latent query pools by attention.

Exact for the last tokens. The MLP of the pooling belongs to no token.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from timm.layers import AttentionPoolLatent
from torch import Tensor, nn

from napari_clip_heatmap.clip.families._attention import split_heads
from napari_clip_heatmap.clip.families._head import LinearHead
from napari_clip_heatmap.clip.families._latent import Latent, LatentBlock, Linear, nothing
from napari_clip_heatmap.clip.families._norms import normed, present
from napari_clip_heatmap.clip.families._refusal import other_norms, refuse
from napari_clip_heatmap.clip.families._resizing import resize_trunk
from napari_clip_heatmap.clip.families._trunk import (
    missing_after,
    projection_of,
    sizes_of,
    trunk_of,
)
from napari_clip_heatmap.clip.weights import eval_mode
from napari_clip_heatmap.core.tower import Tower

__all__ = ["adapt", "resize"]

resize = resize_trunk


def adapt(visual: Any) -> Tower | None:
    """Return the tower, or None where `visual` has no such attention pooling."""
    trunk = trunk_of(visual, nn.Module)
    pool = getattr(trunk, "attn_pool", None)
    if not isinstance(pool, AttentionPoolLatent):
        return None
    refuse("attention-pooling tower", [*_missing_in(trunk, pool), *missing_after(visual)])
    d_model = pool.out_features
    image_size, patch_size = sizes_of(trunk)
    return Tower(
        family="attention_pool",
        embed=_LastTokens(trunk),
        blocks=(LatentBlock(partial(_read, pool)),),
        head=LinearHead(trunk.fc_norm, lambda: projection_of(visual)),
        n_heads=pool.num_heads,
        d_model=d_model,
        d_embed=projection_of(visual).weight.shape[1],
        image_size=image_size,
        patch_size=patch_size,
        n_prefix=trunk.num_prefix_tokens if _pools_prefix(trunk) else 0,
        start=nothing(d_model),
    )


@dataclass(frozen=True)
class _LastTokens:
    """The whole trunk: the tokens that are pooled, normalised."""

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


def _read(pool: Any) -> Latent:
    asked, n_heads = pool.q(pool.latent), pool.num_heads
    (query,) = split_heads(asked, n_heads)
    if present(pool.q_norm):
        query = normed(pool.q_norm, query).to(query)
    key, value = pool.kv.weight.chunk(2)
    key_bias, value_bias = (None, None) if pool.kv.bias is None else pool.kv.bias.chunk(2)
    return Latent(
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
    yield from other_norms(pool, ["q_norm", "k_norm"])
    yield from other_norms(trunk, ["fc_norm"])
    if not all(hasattr(trunk, part) for part in ("patch_embed", "num_prefix_tokens")):
        yield f"a trunk of type {type(trunk).__name__} under the attention pooling"
