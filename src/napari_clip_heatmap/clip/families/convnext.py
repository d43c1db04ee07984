"""timm's ConvNeXt with a linear head: exact at the final feature map.

The head is ``P LN(mean_n x_n)``. The mean is attention of one head that looks at all places alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from einops import rearrange
from timm.models.convnext import ConvNeXt
from torch import Tensor

from napari_clip_heatmap.clip.families._head import LinearHead, identity
from napari_clip_heatmap.clip.families._latent import nothing
from napari_clip_heatmap.clip.families._norms import present, wide
from napari_clip_heatmap.clip.families._refusal import other_norms, refuse
from napari_clip_heatmap.clip.families._resizing import sharing
from napari_clip_heatmap.clip.families._trunk import missing_after, projection_of, trunk_of
from napari_clip_heatmap.clip.families.native import pair
from napari_clip_heatmap.clip.weights import eval_mode
from napari_clip_heatmap.core.tower import BlockOutput, Tower

__all__ = ["adapt", "resize"]


def adapt(visual: Any) -> Tower | None:
    """Return the tower, or None where `visual` is no ConvNeXt."""
    trunk = trunk_of(visual, ConvNeXt)
    if trunk is None:
        return None
    refuse("ConvNeXt", [*_missing_in(trunk), *missing_after(visual)])
    width, stride = trunk.num_features, trunk.feature_info[-1]["reduction"]
    return Tower(
        family="convnext",
        embed=_FinalMap(trunk),
        blocks=(_MapMean(trunk),),
        head=LinearHead(getattr(trunk.head, "norm", None), lambda: projection_of(visual)),
        n_heads=1,
        d_model=width,
        d_embed=projection_of(visual).weight.shape[1],
        image_size=pair(visual.image_size),
        patch_size=(stride, stride),
        n_prefix=0,
        start=nothing(width),
    )


def resize(visual: Any, image_size: tuple[int, int]) -> Any:
    """Return the same ConvNeXt for images of another size: it has no positions."""
    visual = sharing(visual)
    visual.image_size = image_size
    return visual


@dataclass(frozen=True)
class _FinalMap:
    """All convolutions, and the norm before pooling where there is one."""

    trunk: Any

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the final map of a preprocessed batch, row by row, [batch, place, channel]."""
        with eval_mode(self.trunk):
            maps: Tensor = self.trunk.forward_features(
                batch.to(next(self.trunk.parameters()).dtype)
            )
        return rearrange(maps, "batch channel y x -> batch (y x) channel")


@dataclass(frozen=True)
class _MapMean:
    """The mean over the map as the one layer of the tower."""

    trunk: Any

    @property
    def out_weight(self) -> Tensor:
        """Nothing lies between the mean and the pooled token: the identity, [channel, channel]."""
        return identity(next(self.trunk.parameters()), self.trunk.num_features).weight

    @property
    def value_bias(self) -> Tensor | None:
        """None: every place is all content."""
        return None

    def step(self, stream: Tensor) -> BlockOutput:
        """Take the mean."""
        return self.last_step(stream)

    def last_step(self, stream: Tensor) -> BlockOutput:
        """Take the mean."""
        shares = wide(stream)[:, :, None] / stream.shape[1]  # [batch, place, head, channel]
        pooled = shares.sum(dim=1)
        return BlockOutput(
            resid_post=pooled,
            weights=shares.new_full(shares.shape[:3], 1 / stream.shape[1]),
            head_contributions=shares,
            attn_bias=pooled.new_zeros(pooled.shape[-1]),
            mlp_out=pooled.new_zeros(pooled[:, 0].shape),
        )


def _missing_in(trunk: Any) -> Iterator[str]:
    kind = trunk.head.global_pool.pool_type
    if kind != "avg":
        yield f"pooling of type {kind!r}"
    if present(getattr(trunk.head, "pre_logits", None)):
        yield "a hidden layer in the head (head_hidden_size)"
    yield from other_norms(trunk.head, ["norm"])
