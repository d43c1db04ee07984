"""Maps to compare with: chance, brightness, plain attention, and what happens without a place.

Each function takes a model, a preprocessed batch and one unit direction an image, and returns
[batch, grid_y, grid_x].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import Tensor

from napari_clip_heatmap.core.tower import block_outputs
from napari_clip_heatmap.evaluation.faithfulness.attention_access import unit_cosine
from napari_clip_heatmap.evaluation.faithfulness.gradient_methods import sum_by_patch

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["CONTROL_METHODS", "attention", "cosines", "intensity", "occlusion", "random_order"]

WINDOW = 3
"""Patches along the side of what occlusion covers at once."""

_BATCH = 32


def random_order(model: ClipModel, batch: Tensor, directions: Tensor) -> Tensor:
    """Return noise: what a map scores that knows nothing. The same for the same pixels."""
    seeds = (batch.double().abs().sum(dim=(1, 2, 3)) * 1e6).long().tolist()
    maps = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed % 2**31)
        maps.append(torch.rand(model.grid, generator=generator))
    return torch.stack(maps)


def intensity(model: ClipModel, batch: Tensor, directions: Tensor) -> Tensor:
    """Return how far each patch's brightness is from the image's mean."""
    pixels = batch.mean(dim=1, keepdim=True)
    rows, columns = model.grid
    per_patch = model.patch_size[0] * model.patch_size[1]
    means = sum_by_patch(model.tower, pixels) / per_patch
    return (means - means.mean(dim=(1, 2), keepdim=True)).abs().reshape(-1, rows, columns)


def attention(model: ClipModel, batch: Tensor, directions: Tensor) -> Tensor:
    """Return how much the pooled query attends to each patch in the last layer, heads averaged."""
    tower = model.tower
    with torch.no_grad():
        stream = tower.embed(batch)
        *_, last = block_outputs(tower.settled(stream), stream)
    patches = last.weights.mean(dim=-1)[:, tower.n_prefix :]
    rows, columns = tower.grid
    return rearrange(patches, "batch (y x) -> batch y x", y=rows, x=columns)


def occlusion(model: ClipModel, batch: Tensor, directions: Tensor) -> Tensor:
    """Return how much the cosine falls when the patches around each place get the mean color."""
    rows, columns = model.grid
    drops = batch.new_zeros(len(batch), rows, columns, dtype=torch.float32)
    whole = cosines(model, batch, directions)
    for number, image in enumerate(batch):
        covered = torch.stack(
            [_covered(model, image, y, x) for y in range(rows) for x in range(columns)]
        )
        scores = cosines(model, covered, directions[number].expand(len(covered), -1))
        drops[number] = (whole[number] - scores).reshape(rows, columns)
    return drops


def cosines(model: ClipModel, batch: Tensor, directions: Tensor) -> Tensor:
    """Return the cosine of each image with its own direction, [batch], a few images at a time."""
    parts = [
        unit_cosine(model.token_map(few).representation, toward)
        for few, toward in zip(
            torch.split(batch, _BATCH), torch.split(directions, _BATCH), strict=True
        )
    ]
    return torch.cat(parts)


def _covered(model: ClipModel, image: Tensor, row: int, column: int) -> Tensor:
    """Return an image [rgb, y, x] with the window around a patch in the image's mean color."""
    covered, reach = image.clone(), WINDOW // 2
    (height, width), (rows, columns) = model.patch_size, model.grid
    y = slice(max(row - reach, 0) * height, min(row + reach + 1, rows) * height)
    x = slice(max(column - reach, 0) * width, min(column + reach + 1, columns) * width)
    covered[:, y, x] = image.mean(dim=(1, 2))[:, None, None]
    return covered


CONTROL_METHODS: dict[str, tuple[str, Callable[[ClipModel, Tensor, Tensor], Tensor]]] = {
    "random": ("random order", random_order),
    "attention": ("raw attention of the last layer", attention),
    "intensity": ("distance from the mean brightness", intensity),
    "occlusion": (f"occlusion, {WINDOW} x {WINDOW} patches", occlusion),
}
"""Name to title and function."""
