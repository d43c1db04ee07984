"""OpenAI's ResNet with an attention pool: exact at the final feature map.

The pool's query is the mean of the map, which is attended to as a token of its own. It is made of
the map's places in equal parts, so what it brings is given back to them: each place contributes
``a_n (W_V (x_n + p_n) + b_V) + a_0 W_V x_n / N``. What is left at token 0 is its position's part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from napari_clip_heatmap.clip.families._attention import split_heads
from napari_clip_heatmap.clip.families._head import LinearHead, identity, widen
from napari_clip_heatmap.clip.families._latent import zero_start
from napari_clip_heatmap.clip.families._refusal import raise_if_missing
from napari_clip_heatmap.clip.families._resizing import interpolate_positions, shallow_copy
from napari_clip_heatmap.clip.families.native import height_and_width
from napari_clip_heatmap.clip.weights import eval_mode
from napari_clip_heatmap.core.attention import head_contributions, pooled_weights_from_inputs
from napari_clip_heatmap.core.tower import BlockOutput, Tower

__all__ = ["adapt", "resize"]

STRIDE = 32
"""Pixels of the image to one place of the final map, along either axis."""


def adapt(visual: Any) -> Tower | None:
    """Return the tower, or None where `visual` is no such ResNet."""
    parts = ("stem", "layer1", "layer2", "layer3", "layer4", "attnpool")
    if not all(hasattr(visual, part) for part in parts):
        return None
    raise_if_missing("ResNet", _missing_in(visual.attnpool))
    d_embed = visual.attnpool.c_proj.out_features
    return Tower(
        family="resnet",
        embed=_FinalMap(visual),
        blocks=(_MapPool(visual.attnpool),),
        head=LinearHead(None, lambda: identity(visual.attnpool.c_proj.weight, d_embed)),
        n_heads=visual.attnpool.num_heads,
        d_model=d_embed,
        d_embed=d_embed,
        image_size=height_and_width(visual.image_size),
        patch_size=(STRIDE, STRIDE),
        start=zero_start(d_embed),
    )


def resize(visual: Any, image_size: tuple[int, int]) -> Any:
    """Return the same ResNet for images of another size."""
    old = height_and_width(visual.image_size)
    visual, pool = shallow_copy(visual), shallow_copy(visual.attnpool)
    pool.positional_embedding = interpolate_positions(
        pool.positional_embedding,
        (old[0] // STRIDE, old[1] // STRIDE),
        (image_size[0] // STRIDE, image_size[1] // STRIDE),
    )
    visual.attnpool, visual.image_size = pool, image_size
    return visual


@dataclass(frozen=True)
class _FinalMap:
    """All convolutions: an empty place for the query, then the final map, row by row."""

    visual: Any

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the map of a preprocessed batch, [batch, 1 + place, channel]."""
        visual = self.visual
        with eval_mode(visual):
            maps = visual.stem(batch.to(visual.conv1.weight.dtype))
            for layer in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
                maps = layer(maps)
        places = rearrange(maps, "batch channel y x -> batch (y x) channel")
        return F.pad(places, (0, 0, 1, 0))


@dataclass(frozen=True)
class _MapPool:
    """The attention pool as the one layer of the tower."""

    pool: Any

    @property
    def out_weight(self) -> Tensor:
        """Output projection, [d_embed, head * d_head]."""
        weight: Tensor = self.pool.c_proj.weight
        return weight

    @property
    def value_bias(self) -> Tensor | None:
        """Bias of the values, [head, d_head]."""
        bias: Tensor = self.pool.v_proj.bias
        return rearrange(bias, "(head d) -> head d", head=self.pool.num_heads)

    def step(self, stream: Tensor) -> BlockOutput:
        """Pool the map."""
        return self.last_step(stream)

    def last_step(self, stream: Tensor) -> BlockOutput:
        """Pool the map."""
        pool, places = self.pool, stream[:, 1:]
        tokens = torch.cat([places.mean(dim=1, keepdim=True), places], dim=1)
        tokens = tokens + pool.positional_embedding.to(tokens)
        (query,) = split_heads(pool.q_proj(tokens[:, :1]), pool.num_heads)
        scale = query.shape[-1] ** -0.5
        weights = pooled_weights_from_inputs(query, tokens, pool.k_proj.weight, scale)
        contributions = self._contributions(places, weights)
        head_outputs = contributions.sum(dim=1).flatten(1).to(stream.dtype)
        pooled = widen(pool.c_proj(head_outputs))
        return BlockOutput(
            resid_post=pooled[:, None],
            weights=weights,
            head_contributions=contributions,
            attn_bias=pool.c_proj.bias,
            mlp_out=pooled.new_zeros(pooled.shape),
        )

    def _contributions(self, places: Tensor, weights: Tensor) -> Tensor:
        """Return what each place adds, also as a part of the mean; at token 0 its position."""
        value = self.pool.v_proj
        content = self._heads(F.linear(places, value.weight))
        positions = self._heads(value(self.pool.positional_embedding.to(places))[None])
        own = head_contributions(weights[:, 1:], content + positions[:, 1:])
        in_mean = head_contributions(weights[:, :1] / places.shape[1], content)
        return torch.cat(
            [head_contributions(weights[:, :1], positions[:, :1]), own + in_mean], dim=1
        )

    def _heads(self, values: Tensor) -> Tensor:
        return rearrange(
            values, "batch token (head d) -> batch token head d", head=self.pool.num_heads
        )


def _missing_in(pool: Any) -> Iterator[str]:
    parts = ("positional_embedding", "q_proj", "k_proj", "v_proj", "c_proj", "num_heads")
    absent = [part for part in parts if not hasattr(pool, part)]
    if absent:
        yield f"pooling of type {type(pool).__name__} without {', '.join(absent)}"
