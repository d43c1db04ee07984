"""Trunks that end in the mean of a final feature map: exact at the places of that map.

The embedding is ``head(mean_n x_n)``. The mean is attention of one head that looks at all places
alike, and it is the one layer of such a tower. Everything before the map is the input of that
layer. What follows is a norm and a linear projection, or an MLP whose gates are held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from einops import rearrange
from torch import Tensor

from napari_clip_heatmap.clip.families._head import (
    LinearHead,
    Projection,
    identity,
    is_active,
    widen,
)
from napari_clip_heatmap.clip.families._hidden_layer import HiddenLayer, missing_in_mlp
from napari_clip_heatmap.clip.families._latent import zero_start
from napari_clip_heatmap.clip.families._refusal import raise_if_missing, unsupported_norms
from napari_clip_heatmap.clip.families._trunk import final_projection, pooling_in_wrapper
from napari_clip_heatmap.clip.families.native import height_and_width
from napari_clip_heatmap.clip.weights import eval_mode
from napari_clip_heatmap.core.tower import BlockOutput, Tower

__all__ = ["NHWC", "feature_map_tower"]

NCHW = "batch channel y x -> batch (y x) channel"
NHWC = "batch y x channel -> batch (y x) channel"


def feature_map_tower(visual: Any, family: str, what: str, *, layout: str = NCHW) -> Tower:
    """Return the tower of open_clip's wrapper of such a trunk.

    Parameters
    ----------
    visual : nn.Module
    family : str
    what : str
        The trunk's name in errors.
    layout : str
        How the trunk's map becomes tokens, as einops writes it.

    Raises
    ------
    UnsupportedModelError
        With what is missing.
    """
    trunk = visual.trunk
    raise_if_missing(what, _missing_in_head(visual))
    norm, stride = getattr(trunk.head, "norm", None), trunk.feature_info[-1]["reduction"]
    if hasattr(visual.head, "mlp"):
        block, head = _gated(visual, norm)
    else:
        block = _MapMean(visual, trunk.num_features)
        head = LinearHead(norm, lambda: final_projection(visual))
    return Tower(
        family=family,
        embed=_FinalMap(trunk, layout),
        blocks=(block,),
        head=head,
        n_heads=1,
        d_model=block.width,
        d_embed=head.project().weight.shape[1],
        image_size=height_and_width(visual.image_size),
        patch_size=(stride, stride),
        n_prefix=0,
        start=zero_start(block.width),
    )


@dataclass(frozen=True)
class _FinalMap:
    """The whole trunk, and the norm before pooling where there is one."""

    trunk: Any
    layout: str

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the final map of a preprocessed batch, row by row, [batch, place, channel]."""
        with eval_mode(self.trunk):
            maps: Tensor = self.trunk.forward_features(
                batch.to(next(self.trunk.parameters()).dtype)
            )
        return rearrange(maps, self.layout)


@dataclass(frozen=True)
class _MapMean:
    """The mean over the map as the one layer of the tower, and a hidden layer if there is one.

    Parameters
    ----------
    visual : nn.Module
    width : int
        Channels of the map, or units of the hidden layer.
    hidden : callable, optional
        Finds the hidden layer, in each call: weights may be moved, cast or trained.
    """

    visual: Any
    width: int
    hidden: Callable[[], HiddenLayer] | None = None

    @property
    def out_weight(self) -> Tensor:
        """The identity, [width, width]: the head follows."""
        return identity(next(self.visual.parameters()), self.width).weight

    @property
    def value_bias(self) -> Tensor | None:
        """None: every place is all content."""
        return None

    def step(self, stream: Tensor) -> BlockOutput:
        """Take the mean."""
        return self.last_step(stream)

    def last_step(self, stream: Tensor) -> BlockOutput:
        """Take the mean."""
        contributions = widen(stream) / stream.shape[1]  # [batch, place, channel]
        if self.hidden is None:
            pooled = contributions.sum(dim=1)
            constant = pooled.new_zeros(self.width)
        else:
            found = self.hidden()(contributions)
            contributions, constant, pooled = found.contributions, found.constant, found.output
        return BlockOutput(
            resid_post=pooled[:, None],
            weights=contributions.new_full((*stream.shape[:2], 1), 1 / stream.shape[1]),
            head_contributions=contributions[:, :, None],
            attn_bias=constant,
            mlp_out=pooled.new_zeros(pooled.shape),
        )


def _gated(visual: Any, norm: Any) -> tuple[_MapMean, LinearHead]:
    """Return layer and head where an MLP follows the pooling and its norm."""
    mlp = visual.head.mlp
    block = _MapMean(visual, mlp.fc1.out_features, lambda: HiddenLayer(norm, mlp.fc1, mlp.act))
    return block, LinearHead(None, lambda: Projection(mlp.fc2.weight.mT, mlp.fc2.bias))


def _missing_in_head(visual: Any) -> Iterator[str]:
    """Yield the parts of the head that cannot be decomposed."""
    head = visual.trunk.head
    kind = head.global_pool.pool_type
    if kind != "avg":
        yield f"pooling of type {kind!r}"
    if is_active(getattr(head, "pre_logits", None)):
        yield "a hidden layer in the head (head_hidden_size)"
    yield from unsupported_norms(head, ["norm"])
    yield from pooling_in_wrapper(visual)
    if hasattr(visual.head, "mlp"):
        if is_active(head.fc):
            yield "two projections to the joint space (the trunk's and an MLP)"
        yield from missing_in_mlp(visual.head.mlp)
