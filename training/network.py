"""The image tower's forward as training runs it: differentiable, with the token map beside it.

The same numbers as open_clip's own forward and as the package's decomposition (a test compares
them); written for speed on a CPU: a linear layer over unfolded patches is several times faster than
the strided convolution with the same weights.
"""

from __future__ import annotations

import torch
from einops import rearrange
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import Tensor
from torch.nn import functional as F

__all__ = ["embed"]


def embed(tower: VisionTransformer, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the image embedding and the token map, both divided by the embedding's length.

    Parameters
    ----------
    tower : VisionTransformer
        Pre-norm tower with class-token pooling.
    images : Tensor (batch, 3, h, w)
        Preprocessed pictures.

    Returns
    -------
    embedding : Tensor (batch, d_embed)
        Unit vectors.
    token_map : Tensor (batch, patch, d_embed)
        What each patch added to it, summed over layers and heads.
    """
    stream = tower.ln_pre(_tokens(tower, images))
    shares = []
    for block in tower.transformer.resblocks:
        stream, share = _block(block, stream)
        shares.append(share)
    pooled = stream[:, 0]
    deviation = (pooled.var(-1, correction=0, keepdim=True) + tower.ln_post.eps).sqrt()
    embedding = tower.ln_post(pooled) @ tower.proj
    length = embedding.norm(dim=-1, keepdim=True)
    readout = (tower.ln_post.weight - 0.0)[:, None] * tower.proj
    weights = torch.cat([b.attn.out_proj.weight.T @ readout for b in tower.transformer.resblocks])
    token_map = torch.cat(shares, -1) @ weights / (deviation * length)[:, None]
    return embedding / length, token_map


def _tokens(tower: VisionTransformer, images: Tensor) -> Tensor:
    height, width = tower.patch_size
    patches = rearrange(images, "batch rgb (y h) (x w) -> batch (y x) (rgb h w)", h=height, w=width)
    embedded = patches @ tower.conv1.weight.flatten(1).T
    cls = tower.class_embedding.expand(len(images), 1, -1)
    return torch.cat([cls, embedded], 1) + tower.positional_embedding


def _block(block: ResidualAttentionBlock, stream: Tensor) -> tuple[Tensor, Tensor]:
    """Run one block; also return what the class token takes from each patch, heads side by side."""
    attn = block.attn
    qkv = F.linear(block.ln_1(stream), attn.in_proj_weight, attn.in_proj_bias)
    q, k, v = rearrange(
        qkv, "batch token (three head d) -> three batch head token d", three=3, head=attn.num_heads
    )
    row = (q[:, :, :1] @ k.mT * q.shape[-1] ** -0.5).softmax(-1)  # [batch, head, 1, token]
    share = rearrange(row.mT * v, "batch head token d -> batch token (head d)")[:, 1:]
    mixed = rearrange(
        F.scaled_dot_product_attention(q, k, v), "batch head token d -> batch token (head d)"
    )
    stream = stream + attn.out_proj(mixed)
    return stream + block.mlp(block.ln_2(stream)), share
