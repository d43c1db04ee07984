"""Maps that follow from one vector a patch: every prompt is a dot product away.

Each function takes a model and a preprocessed batch, and returns [batch, grid_y, grid_x, d_embed].
Dotted with a unit text direction that is the map. Only `exact` and `centered` sum to the cosine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from napari_clip_heatmap.core.token_map import fold, token_map
from napari_clip_heatmap.core.tower import Block, BlockOutput, Tower, block_outputs
from napari_clip_heatmap.evaluation.faithfulness.attention_access import (
    AttentionRun,
    run_with_attention,
)

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = [
    "IMAGE_METHODS",
    "TOKEN_METHODS",
    "alike",
    "centered",
    "exact",
    "last_layers",
    "maskclip",
    "naclip",
    "rotated",
    "value_only",
]

_LAST = 4
"""One in so many layers counts as last: the last 3 of 12, the last 6 of 24."""

_SPREAD = 5.0
"""Standard deviation, in patches, of the neighborhood that NACLIP adds to its scores."""


def exact(model: ClipModel, batch: Tensor) -> Tensor:
    """Return the decomposition as the product shows it."""
    return model.token_map(batch).tokens


def centered(model: ClipModel, batch: Tensor) -> Tensor:
    """Return the decomposition in the centered convention: the same total, other constants."""
    return model.token_map(batch, convention="centred").tokens


def last_layers(model: ClipModel, batch: Tensor) -> Tensor:
    """Return the contributions of the last quarter of the layers alone."""
    n_layers = model.tower.n_layers
    first = n_layers - max(1, n_layers // _LAST)

    def keep(number: int, output: BlockOutput) -> BlockOutput:
        if number >= first:
            return output
        return replace(output, head_contributions=torch.zeros_like(output.head_contributions))

    return _changed(model, batch, keep)


def value_only(model: ClipModel, batch: Tensor) -> Tensor:
    """Return the contributions with every patch attended to alike: values without attention."""

    def level(number: int, output: BlockOutput) -> BlockOutput:
        mean = output.weights.mean(dim=1, keepdim=True)
        return replace(output, head_contributions=_values(output) * mean[..., None])

    return _changed(model, batch, level)


def maskclip(model: ClipModel, batch: Tensor) -> Tensor:
    """Return each patch's embedding by the last layer's values alone, of length 1.

    Neither attention, residual stream nor MLP (MaskCLIP, Zhou et al., ECCV 2022).
    """
    with torch.no_grad():
        tower = model.tower
        stream = tower.embed(batch)
        *_, last = block_outputs(tower.settled(stream), stream)
        return _embedded(tower, _attended(tower, last, _values(last)))


def naclip(model: ClipModel, batch: Tensor) -> Tensor:
    """Return each patch's embedding by the last layer, attending to alike and near patches.

    Scores are key on key plus a Gaussian of the distance; no residual stream and no MLP (NACLIP,
    Hajimiri et al., WACV 2025).
    """
    with torch.no_grad():
        run = run_with_attention(model.tower, batch)
        last = run.tower.blocks[-1].step(run.streams[-2])
        prefix = run.tower.n_prefix
        values = _values(last)[:, prefix:]
        mixed = torch.einsum("bhqt,bthd->bqhd", _likeness(run).to(values), values)
        mixed = F.pad(mixed, (0, 0, 0, 0, prefix, 0))
        return _embedded(model.tower, _attended(model.tower, last, mixed))


def alike(model: ClipModel, batch: Tensor) -> Tensor:
    """Return the exact contributions, each patch's the mean over alike and near patches.

    Weighted as NACLIP weights values, the mean over heads.
    """
    with torch.no_grad():
        tokens = exact(model, batch)
        weights = _likeness(run_with_attention(model.tower, batch)).mean(dim=1).to(tokens)
        flat = rearrange(tokens, "batch y x out -> batch (y x) out")
        return (weights @ flat).reshape(tokens.shape)


def rotated(model: ClipModel, batch: Tensor) -> Tensor:
    """Return NACLIP's embeddings of a tile, turned and scaled to fit its exact contributions best.

    Orthogonal Procrustes (Schonemann, 1966), so that words mean to them what they mean to the
    pooled embedding.
    """
    with torch.no_grad():
        tokens = exact(model, batch)
        shape = tokens.shape
        of_patches, of_image = (
            each.flatten(1, 2).double() for each in (naclip(model, batch), tokens)
        )
        centers = [each.mean(dim=1, keepdim=True) for each in (of_patches, of_image)]
        free, fixed = of_patches - centers[0], of_image - centers[1]
        left, stretch, right = torch.linalg.svd(free.mT @ fixed)
        scale = stretch.sum(dim=-1) / free.square().sum(dim=(1, 2)).clamp_min(1e-30)
        turned = free @ (left @ right) * scale[:, None, None] + centers[1]
        aligned: torch.Tensor = turned.reshape(shape).float()
        return aligned


@dataclass(frozen=True)
class _ChangedBlock:
    """A block whose contributions are changed, and nothing that follows from them."""

    inner: Block
    number: int
    change: Callable[[int, BlockOutput], BlockOutput]

    @property
    def out_weight(self) -> Tensor:
        return self.inner.out_weight

    @property
    def value_bias(self) -> Tensor | None:
        return self.inner.value_bias

    def step(self, stream: Tensor) -> BlockOutput:
        return self.change(self.number, self.inner.step(stream))

    def last_step(self, stream: Tensor) -> BlockOutput:
        return self.change(self.number, self.inner.last_step(stream))


def _changed(
    model: ClipModel, batch: Tensor, change: Callable[[int, BlockOutput], BlockOutput]
) -> Tensor:
    """Return the token map of a tower whose layers tell other contributions."""
    tower = model.tower

    def settle(_: Tower, stream: Tensor) -> Tower:
        settled = tower.settled(stream)
        blocks = tuple(_ChangedBlock(b, n, change) for n, b in enumerate(settled.blocks))
        return replace(settled, blocks=blocks)

    with torch.no_grad():
        return token_map(replace(tower, settle=settle), batch, fold(tower)).tokens


def _values(output: BlockOutput) -> Tensor:
    """Return the value vectors, [batch, token, head, d_head]; 0 where nothing was attended to."""
    weights = output.weights[..., None]
    return torch.where(weights > 0, output.head_contributions / weights, 0.0)


def _attended(tower: Tower, last: BlockOutput, mixed: Tensor) -> Tensor:
    """Return what the last layer's attention would give, [batch, token, d_model].

    From [batch, token, head, d_head], through the output projection and its bias.
    """
    bias = last.attn_bias.to(mixed).reshape(-1, 1, tower.d_model)
    return mixed.flatten(2) @ tower.blocks[-1].out_weight.to(mixed).mT + bias


def _embedded(tower: Tower, tokens: Tensor) -> Tensor:
    """Read patches as if each were the pooled token, [batch, grid_y, grid_x, d_embed]."""
    patches = tokens[:, tower.n_prefix :]
    read = tower.head.read(patches.flatten(0, 1)).representation
    unit = F.normalize(read, dim=-1)
    rows, columns = tower.grid
    return rearrange(unit, "(batch y x) out -> batch y x out", y=rows, x=columns, batch=len(tokens))


def _likeness(run: AttentionRun) -> Tensor:
    """Return how alike and near patches are by the last layer's keys, [batch, head, patch, patch].

    Rows sum to 1.
    """
    keys = run.keys[-1][:, :, run.tower.n_prefix :]
    scores = keys @ keys.mT * run.scales[-1] + _neighborhood(run.tower.grid).to(keys)
    return scores.softmax(dim=-1)


def _neighborhood(grid: tuple[int, int]) -> Tensor:
    """Return a Gaussian of the distance between patches, [patch, patch]."""
    y, x = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    places = torch.stack([y.flatten(), x.flatten()], dim=1).float()
    squared = torch.cdist(places, places) ** 2
    return torch.exp(-squared / (2 * _SPREAD**2))


TOKEN_METHODS: dict[str, tuple[str, Callable[[ClipModel, Tensor], Tensor]]] = {
    "exact": ("exact decomposition", exact),
    "centered": ("centered convention", centered),
    "last layers": ("last quarter of the layers", last_layers),
    "value-only": ("values without attention", value_only),
    "maskclip": ("patch similarity, as MaskCLIP", maskclip),
    "naclip": ("near and alike patches, as NACLIP", naclip),
}
"""Name to title and function."""

IMAGE_METHODS = TOKEN_METHODS | {
    "rotated": ("the same, turned to the exact map", rotated),
    "alike": ("exact, mean over near and alike patches", alike),
}
"""The same with maps that are only compared in how well they find objects."""
