"""timm's image towers as open_clip wraps them: a trunk, and what comes after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from napari_clip_heatmap.clip.families._block import BlockParts, ResidualBlock
from napari_clip_heatmap.clip.families._head import (
    LinearHead,
    Mean,
    Pooling,
    Projection,
    identity,
    is_active,
    normalize,
    settle_normalized_mean,
)
from napari_clip_heatmap.clip.families._refusal import unsupported_norms
from napari_clip_heatmap.clip.weights import eval_mode
from napari_clip_heatmap.core.tower import Tower

__all__ = [
    "final_projection",
    "missing_after_blocks",
    "missing_in_wrapper",
    "pooling_in_wrapper",
    "timm_tower",
    "timm_trunk",
    "trunk_sizes",
]


def timm_trunk(visual: Any, kind: type[nn.Module]) -> Any:
    """Return the trunk of open_clip's wrapper if it is of that class, else None."""
    trunk = getattr(visual, "trunk", None)
    return trunk if isinstance(trunk, kind) and hasattr(visual, "head") else None


@dataclass(frozen=True)
class _Embedding:
    """The trunk's own patches and positions: the residual stream before the first block."""

    trunk: Any

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the stream of a preprocessed batch, [batch, token, d_model]."""
        trunk = self.trunk
        with eval_mode(trunk):  # a convolutional stem may hold batch norms
            patches = trunk.patch_embed(batch.to(next(trunk.patch_embed.parameters()).dtype))
            stream = trunk._pos_embed(patches)
        stream = stream[0] if isinstance(stream, tuple) else stream  # EVA: with its rotation
        return normalize(trunk.norm_pre, stream)


def timm_tower(
    visual: Any,
    family: str,
    read: Callable[[Any], BlockParts],
    embed: Callable[[Tensor], Tensor] | None = None,
) -> Tower:
    """Return the tower of a trunk that pools its tokens without attention.

    Parameters
    ----------
    visual : nn.Module
        open_clip's wrapper.
    family : str
    read : callable
        Finds the parts of one of the trunk's blocks.
    embed : callable, optional
        Preprocessed batch to the stream before the first block, for a trunk that does not split it
        into the steps of timm's other transformers.
    """
    trunk, pooling = visual.trunk, _pooling_of(visual.trunk)
    norm = trunk.norm if is_active(trunk.norm) else trunk.fc_norm
    one_by_one = pooling is not None and is_active(trunk.norm)
    image_size, patch_size = trunk_sizes(trunk)
    return Tower(
        family=family,
        embed=embed or _Embedding(trunk),
        blocks=tuple(ResidualBlock(block, read, pooling) for block in trunk.blocks),
        head=LinearHead(norm, lambda: final_projection(visual), pooling),
        n_heads=trunk.blocks[0].attn.num_heads,
        d_model=trunk.embed_dim,
        d_embed=final_projection(visual).weight.shape[1],
        image_size=image_size,
        patch_size=patch_size,
        n_prefix=trunk.num_prefix_tokens,
        settle=settle_normalized_mean if one_by_one else None,
    )


def _pooling_of(trunk: Any) -> Pooling | None:
    """Return how the tokens are pooled."""
    if trunk.global_pool == "token":
        return None
    with_prefix = getattr(trunk, "pool_include_prefix", False)
    return Mean(n_skipped=0 if with_prefix else trunk.num_prefix_tokens)


def trunk_sizes(trunk: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return height and width of the image and of a patch, pixels."""
    (height, width), (rows, columns) = trunk.patch_embed.img_size, trunk.patch_embed.grid_size
    return (height, width), (height // rows, width // columns)


def final_projection(visual: Any) -> Projection:
    """Return the linear map after the last norm: the trunk's head, the wrapper's, or none."""
    head = visual.trunk.head
    for linear in (head, getattr(head, "fc", None), getattr(visual.head, "proj", None)):
        if isinstance(linear, nn.Linear):
            return Projection(linear.weight.mT, linear.bias)
    return identity(next(visual.trunk.parameters()), visual.trunk.num_features)


def missing_after_blocks(visual: Any) -> Iterator[str]:
    """Name what stands in the way after the blocks of a trunk that pools without attention."""
    trunk = visual.trunk
    if getattr(trunk, "attn_pool", None) is not None:
        yield f"attention pooling of type {type(trunk.attn_pool).__name__}"
    elif trunk.global_pool not in ("token", "avg"):
        yield f"pooling of type {trunk.global_pool!r}"
    if is_active(trunk.norm) and is_active(trunk.fc_norm):
        yield "norms both before and after pooling (norm, fc_norm)"
    yield from unsupported_norms(trunk, ["norm_pre", "norm", "fc_norm"])
    yield from missing_in_wrapper(visual)


def missing_in_wrapper(visual: Any) -> Iterator[str]:
    """Name what stands in the way after a trunk whose tokens are pooled in several layers."""
    if hasattr(visual.head, "mlp"):
        yield "an MLP as projection to the joint space (timm_proj 'mlp')"
    yield from pooling_in_wrapper(visual)


def pooling_in_wrapper(visual: Any) -> Iterator[str]:
    """Name a pooling after the trunk's own, if there is one."""
    if hasattr(visual.head, "pool"):
        yield f"pooling of type {type(visual.head.pool).__name__} after the trunk"
