"""The image tower's forward as training runs it: differentiable, together with the token map.

The same numbers as open_clip's own forward and as the package's decomposition (a test compares
them); written for speed on a CPU: patches unfolded for a matrix product, half precision where it
does no harm, attention in plain products (their backward is far faster than the fused one's).
"""

from __future__ import annotations

import torch
from einops import rearrange
from open_clip.model import CLIP
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["embed", "encode_texts", "fast_type"]


def fast_type(device: torch.device) -> torch.dtype:
    """Return bfloat16 where this device multiplies it fast, else single precision.

    A processor without AVX-512 emulates it, and is thirty times as slow with it.
    """
    fast = device.type != "cpu" or torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return torch.bfloat16 if fast else torch.float32


def embed(
    tower: VisionTransformer, images: Tensor, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """Return the image embedding and the token map, both divided by the embedding's length.

    Parameters
    ----------
    tower : VisionTransformer
        Pre-norm tower with class-token pooling.
    images : Tensor (batch, 3, h, w)
        Preprocessed pictures.
    dtype : torch.dtype
        Of the blocks; what is read out of them is in single precision.

    Returns
    -------
    embedding : Tensor (batch, d_embed)
        Unit vectors.
    token_map : Tensor (batch, patch, d_embed)
        What each patch added to it, summed over layers and heads.
    """
    stream = _norm(tower.ln_pre, _tokens(tower, images, dtype))
    shares = []
    for block in tower.transformer.resblocks:
        stream, share = _block(block, stream)
        shares.append(share)
    pooled = stream[:, 0].float()
    deviation = (pooled.var(-1, correction=0, keepdim=True) + tower.ln_post.eps).sqrt()
    embedding = tower.ln_post(pooled) @ tower.proj
    length = embedding.norm(dim=-1, keepdim=True)
    readout = tower.ln_post.weight[:, None] * tower.proj
    weights = torch.cat([b.attn.out_proj.weight.T @ readout for b in tower.transformer.resblocks])
    attended = (torch.cat(shares, -1) @ weights.to(dtype)).float()
    return embedding / length, attended / (deviation * length)[:, None]


def encode_texts(clip: CLIP, tokens: Tensor) -> Tensor:
    """Return what `CLIP.encode_text` returns, without the padding after the longest text.

    Parameters
    ----------
    clip : CLIP
        Pools at the end-of-text token, which has the largest number.
    tokens : Tensor (text, context)
    """
    last = tokens.argmax(1)
    length = int(last.max()) + 1
    stream = clip.token_embedding(tokens[:, :length]) + clip.positional_embedding[:length]
    stream = clip.transformer(stream, attn_mask=clip.attn_mask[:length, :length])
    pooled = clip.ln_final(stream)[torch.arange(len(tokens), device=last.device), last]
    return pooled @ clip.text_projection


def _tokens(tower: VisionTransformer, images: Tensor, dtype: torch.dtype) -> Tensor:
    height, width = tower.patch_size
    if tower.conv1.kernel_size == (height, width):
        patches = rearrange(
            images, "batch rgb (y h) (x w) -> batch (y x) (rgb h w)", h=height, w=width
        )
    else:
        unfolded = F.unfold(
            images, tower.conv1.kernel_size, padding=tower.conv1.padding, stride=tower.conv1.stride
        )
        patches = unfolded.mT
    embedded = patches.to(dtype) @ tower.conv1.weight.flatten(1).T.to(dtype)
    cls = tower.class_embedding.to(dtype).expand(len(images), 1, -1)
    return torch.cat([cls, embedded], 1) + tower.positional_embedding.to(dtype)


def _block(block: ResidualAttentionBlock, stream: Tensor) -> tuple[Tensor, Tensor]:
    """Run one block; also return what the class token takes from each patch, heads side by side."""
    attn = block.attn
    qkv = _linear(_norm(block.ln_1, stream), attn.in_proj_weight, attn.in_proj_bias)
    q, k, v = rearrange(
        qkv, "batch token (three head d) -> three batch head token d", three=3, head=attn.num_heads
    )
    weights = (q * q.shape[-1] ** -0.5 @ k.mT).softmax(-1)
    share = rearrange(weights[:, :, :1].mT * v, "batch head token d -> batch token (head d)")
    mixed = rearrange(weights @ v, "batch head token d -> batch token (head d)")
    stream = stream + _linear(mixed, attn.out_proj.weight, attn.out_proj.bias)
    grow, shrink = block.mlp.c_fc, block.mlp.c_proj
    hidden = F.gelu(_linear(_norm(block.ln_2, stream), grow.weight, grow.bias))
    return stream + _linear(hidden, shrink.weight, shrink.bias), share[:, 1:]


def _linear(stream: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.linear(stream, weight.to(stream.dtype), bias.to(stream.dtype))


def _norm(norm: nn.LayerNorm, stream: Tensor) -> Tensor:
    weight, bias = norm.weight.to(stream.dtype), norm.bias.to(stream.dtype)
    return F.layer_norm(stream, norm.normalized_shape, weight, bias, norm.eps)
