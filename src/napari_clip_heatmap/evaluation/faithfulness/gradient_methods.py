"""Maps from gradients of the cosine: one backward pass for each image and prompt.

Each function takes a model, a preprocessed batch and one unit direction an image, and returns
[batch, grid_y, grid_x].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from einops import rearrange, reduce
from torch import Tensor

from napari_clip_heatmap.core.tower import Tower
from napari_clip_heatmap.evaluation.faithfulness.attention_access import (
    run_with_attention,
    unit_cosine,
)

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = [
    "GRADIENT_METHODS",
    "grad_cam",
    "gradient_attention",
    "integrated_gradients",
    "legrad",
]

N_STEPS = 16
"""Points on the line from the empty image to the image, for integrated gradients."""


def grad_cam(model: ClipModel, batch: Tensor, directions: Tensor) -> Tensor:
    """Weigh the channels of the last layer's input by their mean gradient, positive part.

    Selvaraju et al., ICCV 2017, at the last place where patches are still apart.
    """
    tower = model.tower
    with torch.no_grad():
        stream = tower.embed(batch)
        settled = tower.settled(stream)
        for block in settled.blocks[:-1]:
            stream = block.step(stream).resid_post
    with torch.enable_grad():
        stream = stream.detach().requires_grad_(True)
        pooled = settled.head.pool(settled.blocks[-1].last_step(stream).resid_post)
        score = unit_cosine(settled.head.read(pooled).representation, directions)
        (gradient,) = torch.autograd.grad(score.sum(), stream)
    patches, slopes = stream.detach()[:, tower.n_prefix :], gradient[:, tower.n_prefix :]
    weights = slopes.mean(dim=1, keepdim=True)
    return _on_grid(tower, (patches * weights).sum(dim=-1).relu())


def gradient_attention(model: ClipModel, batch: Tensor, directions: Tensor) -> Tensor:
    """Sum the positive part of gradient times attention over layers, heads and queries.

    All queries alike, as that proved more faithful than the pooled query's row alone.
    """
    with torch.enable_grad():
        run = run_with_attention(model.tower, batch)
        score = unit_cosine(run.representation, directions)
        gradients = torch.autograd.grad(score.sum(), run.weights)
    products = zip(gradients, run.weights, strict=True)
    parts = [(slope * weights.detach()).relu().mean(dim=(1, 2)) for slope, weights in products]
    return _on_grid(model.tower, torch.stack(parts).sum(dim=0)[:, model.tower.n_prefix :])


def legrad(model: ClipModel, batch: Tensor, directions: Tensor) -> Tensor:
    """Sum over layers the positive gradients of each layer's own cosine by its attention.

    All queries and heads alike (LeGrad, Bousselham et al., ICCV 2025).
    """
    with torch.enable_grad():
        run = run_with_attention(model.tower, batch)
        total = batch.new_zeros(len(batch), run.weights[0].shape[-1], dtype=torch.float32)
        for stream, weights in zip(run.streams[1:], run.weights, strict=True):
            read = run.tower.head.read(run.tower.head.pool(stream))
            score = unit_cosine(read.representation, directions)
            (slope,) = torch.autograd.grad(score.sum(), weights, retain_graph=True)
            total = total + slope.relu().mean(dim=(1, 2)).float()
    return _on_grid(model.tower, total[:, model.tower.n_prefix :])


def integrated_gradients(model: ClipModel, batch: Tensor, directions: Tensor) -> Tensor:
    """Integrate pixel gradients from the image's mean color to the image, summed by patch.

    Sundararajan et al., ICML 2017: over the patches they sum to the difference of the two cosines,
    but for the finite number of steps.
    """
    empty = batch.mean(dim=(2, 3), keepdim=True).expand_as(batch)
    total = torch.zeros_like(batch)
    for number in range(N_STEPS):
        part = (number + 0.5) / N_STEPS
        with torch.enable_grad():
            pixels = torch.lerp(empty, batch, part).detach().requires_grad_(True)
            score = unit_cosine(_embed_with_gradient(model.tower, pixels), directions)
            (gradient,) = torch.autograd.grad(score.sum(), pixels)
        total += gradient
    return sum_by_patch(model.tower, total * (batch - empty) / N_STEPS)


def sum_by_patch(tower: Tower, pixels: Tensor) -> Tensor:
    """Sum [batch, channel, y, x] over channels and patches, [batch, grid_y, grid_x]."""
    height, width = tower.patch_size
    rows, columns = tower.grid
    whole = pixels[:, :, : rows * height, : columns * width]
    return reduce(whole, "batch rgb (y h) (x w) -> batch y x", "sum", h=height, w=width)


def _embed_with_gradient(tower: Tower, batch: Tensor) -> Tensor:
    """Return the image embedding, [batch, d_embed]."""
    stream = tower.embed(batch)
    for block in tower.blocks[:-1]:
        stream = block.step(stream).resid_post
    last = tower.blocks[-1].last_step(stream).resid_post
    return tower.head.read(tower.head.pool(last)).representation


def _on_grid(tower: Tower, patches: Tensor) -> Tensor:
    rows, columns = tower.grid
    return rearrange(patches.detach(), "batch (y x) -> batch y x", y=rows, x=columns)


GRADIENT_METHODS: dict[str, tuple[str, Callable[[ClipModel, Tensor, Tensor], Tensor]]] = {
    "grad-cam": ("Grad-CAM", grad_cam),
    "gradient x attention": ("gradient x attention", gradient_attention),
    "legrad": ("LeGrad", legrad),
    "integrated gradients": ("integrated gradients", integrated_gradients),
}
"""Name to title and function."""
