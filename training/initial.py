"""A starting point from which a small vision transformer learns fast.

A patch embedding that whitens: fine texture, faint beside brightness and colour, then weighs as
much as they do. Sine-cosine positions. "Mimetic" attention (Trockman and Kolter, arXiv 2305.09828):
queries and keys that make a token attend to its like and its neighbours, values and output that
nearly cancel.
"""

from __future__ import annotations

import torch
from einops import rearrange
from open_clip.transformer import VisionTransformer
from torch import Tensor

__all__ = ["initialise"]

_NOISE_VARIANCE = 0.05
_ATTEND, _ATTEND_NOISE = 0.7, 0.7
_CANCEL, _CANCEL_NOISE = 0.4, 0.4


@torch.no_grad()
def initialise(tower: VisionTransformer, images: Tensor) -> None:
    """Set patch embedding, positions and attention weights of ``tower`` in place.

    Parameters
    ----------
    tower : VisionTransformer
    images : Tensor (image, 3, y, x)
        Preprocessed pictures from which the whitening is taken.
    """
    _whiten(tower, images)
    rows, columns = tower.grid_size
    width = tower.positional_embedding.shape[1]
    tower.positional_embedding[1:] += 0.5 * _positions(rows, columns, width)
    tower.positional_embedding[0] = 0
    for block in tower.transformer.resblocks:
        _mimic(block.attn)


def _whiten(tower: VisionTransformer, images: Tensor) -> None:
    """Make the patch embedding the principal components of patches, each at about unit variance.

    None is boosted far above the camera's noise. The positions take off the mean patch.
    """
    height, width = tower.patch_size
    patches = rearrange(images, "image rgb (y h) (x w) -> (image y x) (rgb h w)", h=height, w=width)
    variance, components = torch.linalg.eigh(patches.T.cov())
    n_kept = min(len(variance), tower.conv1.out_channels)
    rows = (components / (variance + _NOISE_VARIANCE).sqrt()).T.flip(0)[:n_kept]
    tower.conv1.weight.zero_()
    tower.conv1.weight[:n_kept] = rows.reshape(n_kept, *tower.conv1.weight.shape[1:])
    tower.positional_embedding.zero_()
    tower.positional_embedding[1:, :n_kept] = -(rows @ patches.mean(0))


def _positions(rows: int, columns: int, width: int) -> Tensor:
    """Return sine and cosine of row and column at a quarter of ``width`` frequencies each."""
    wave = 100.0 ** -torch.linspace(0, 1, width // 4)
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    turns = [place.reshape(-1, 1) * wave for place in (y, x)]
    return torch.cat([f(turn) for turn in turns for f in (torch.sin, torch.cos)], 1)


def _mimic(attention: torch.nn.MultiheadAttention) -> None:
    width, n_heads = attention.embed_dim, attention.num_heads
    d_head = width // n_heads
    q, k, v = attention.in_proj_weight.chunk(3)
    for head in range(n_heads):
        own = slice(head * d_head, (head + 1) * d_head)
        noise = torch.randn(width, width) / width**0.5
        left, values, right = torch.linalg.svd(_ATTEND_NOISE * noise + _ATTEND * torch.eye(width))
        root = values[:d_head].sqrt()
        q[own] = (left[:, :d_head] * root).T
        k[own] = right[:d_head] * root[:, None]
    noise = torch.randn(width, width) / width**0.5
    left, values, right = torch.linalg.svd(_CANCEL_NOISE * noise - _CANCEL * torch.eye(width))
    v.copy_(values.sqrt()[:, None] * right)
    attention.out_proj.weight.copy_(left * values.sqrt())
