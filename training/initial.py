"""A starting point from which a small vision transformer learns fast.

A patch embedding that whitens: fine texture, faint compared with brightness and color, then weighs
as much as they do. Positions in dimensions of their own, and in the first layers one head for each
of a patch's eight neighbors, as a convolution has them. "Mimetic" attention in the others (Trockman
and Kolter, arXiv 2305.09828): a token attends to its like and its neighbors.
"""

from __future__ import annotations

import math

import torch
from einops import rearrange, repeat
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

__all__ = ["initialise"]

_NOISE_VARIANCE = 0.05
_DISTANCES = (1, 1, 2)
"""How far the neighbors of each of the first layers are, in patches."""
_NEIGHBOURS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
_SHARPNESS = 6.0
"""Attention logit by which a patch in the right row, or in the right column, stands out."""


@torch.no_grad()
def initialise(tower: VisionTransformer, images: Tensor) -> None:
    """Set every weight of ``tower`` that comes before its last norm, in place.

    Parameters
    ----------
    tower : VisionTransformer
        With eight heads, and at least as many dimensions in a head as twice the rows of patches.
    images : Tensor (image, 3, y, x)
        Preprocessed pictures from which the whitening is taken.
    """
    rows, columns = tower.grid_size
    first = tower.transformer.resblocks[0].attn
    n_places = first.embed_dim // first.num_heads
    n_content = first.embed_dim - n_places
    _whiten(tower, images, n_content)
    y, x = _codes(rows, n_places // 2), _codes(columns, n_places // 2)
    places = torch.cat([repeat(y, "y d -> y x d", x=columns), repeat(x, "x d -> y x d", y=rows)], 2)
    tower.positional_embedding[1:, n_content:] = 2**0.5 * places.flatten(0, 1)
    tower.positional_embedding[0] = 0
    for number, block in enumerate(tower.transformer.resblocks):
        _start(block)
        if number < len(_DISTANCES):
            _look_at_neighbors(block.attn, _DISTANCES[number])
        else:
            _mimic(block.attn)


def _whiten(tower: VisionTransformer, images: Tensor, n_content: int) -> None:
    """Make the patch embedding the principal components of patches, each at about unit variance.

    None is boosted far above the camera's noise. The positions take off the mean patch.
    """
    height, width = tower.patch_size
    patches = rearrange(images, "image rgb (y h) (x w) -> (image y x) (rgb h w)", h=height, w=width)
    variance, components = torch.linalg.eigh(patches.T.cov())
    rows = (components / (variance + _NOISE_VARIANCE).sqrt()).T.flip(0)[:n_content]
    tower.conv1.weight.zero_()
    tower.conv1.weight[: len(rows)] = rows.reshape(-1, *tower.conv1.weight.shape[1:])
    tower.positional_embedding.zero_()
    tower.positional_embedding[1:, : len(rows)] = -(rows @ patches.mean(0))


def _waves(n_dims: int) -> Tensor:
    """Return frequencies at which different places have codes at right angles.

    ``sum_k cos(pi (k + 1/2) d / f) = 0`` for every whole ``d`` but 0 between ``-2 f`` and ``2 f``.
    """
    n_waves = n_dims // 2
    return math.pi * (torch.arange(n_waves) + 0.5) / n_waves


def _codes(n_places: int, n_dims: int) -> Tensor:
    """Return the code of each place along an axis, (place, n_dims)."""
    turn = torch.arange(n_places)[:, None] * _waves(n_dims)
    return torch.cat([turn.sin(), turn.cos()], 1)


def _shift(n_dims: int, by: int) -> Tensor:
    """Return the matrix that makes a place's code that of the place ``by`` further on."""
    cos, sin = ((by * _waves(n_dims)).cos().diag(), (by * _waves(n_dims)).sin().diag())
    return torch.cat([torch.cat([cos, sin], 1), torch.cat([-sin, cos], 1)])


def _start(block: nn.Module) -> None:
    """Let a block at first move content only, at half its size, and add nothing of its own."""
    attn, mlp = block.attn, block.mlp
    n_places = attn.embed_dim // attn.num_heads
    values = attn.in_proj_weight.chunk(3)[2]
    for weight, gain in ((values, 1.0), (attn.out_proj.weight, 0.5), (mlp.c_fc.weight, 2**0.5)):
        nn.init.orthogonal_(weight, gain)
    values[:, -n_places:] *= 0.1
    attn.out_proj.weight[-n_places:] *= 0.1
    for parameter in (
        attn.in_proj_bias,
        attn.out_proj.bias,
        mlp.c_fc.bias,
        *mlp.c_proj.parameters(),
    ):
        parameter.zero_()


def _look_at_neighbors(attn: nn.MultiheadAttention, distance: int) -> None:
    """Make each head attend to the patch that lies one step, or more, in a direction of its own."""
    d_head = attn.embed_dim // attn.num_heads
    per_axis = d_head // 2
    strength = (_SHARPNESS * d_head**0.5 / per_axis) ** 0.5
    query, key, _ = attn.in_proj_weight.chunk(3)
    for weight in (query, key):
        weight.normal_(0, 0.02)
    for head, (y, x) in enumerate(_NEIGHBOURS):
        own = slice(head * d_head, (head + 1) * d_head)
        moved = torch.block_diag(_shift(per_axis, y * distance), _shift(per_axis, x * distance))
        query[own, -d_head:] = strength * moved
        key[own, -d_head:] = strength * torch.eye(d_head)


def _mimic(attn: nn.MultiheadAttention) -> None:
    """Make queries and keys nearly agree, so that a token attends to what is like it."""
    width, n_heads = attn.embed_dim, attn.num_heads
    query, key, _ = (
        rearrange(part, "(head d) d_model -> head d d_model", head=n_heads)
        for part in attn.in_proj_weight.chunk(3)
    )
    for head in range(n_heads):
        wanted = 0.7 * torch.eye(width) + 0.7 * torch.randn(width, width) / width**0.5
        left, values, right = torch.linalg.svd(wanted)
        n_kept = query.shape[1]
        root = values[:n_kept].sqrt()
        query[head] = (left[:, :n_kept] * root).T
        key[head] = right[:n_kept] * root[:, None]
