"""The definition of the decomposition, computed literally: all queries, then one row of them.

What anyone would write from the formula in arXiv 2310.05916, and what the package is compared with.
"""

from __future__ import annotations

import torch
from einops import einsum, rearrange
from open_clip.transformer import VisionTransformer
from torch import Tensor
from torch.nn import functional as F

__all__ = ["maps_by_definition"]


def maps_by_definition(visual: VisionTransformer, batch: Tensor, directions: Tensor) -> Tensor:
    """Return each patch's share of the cosine with each direction, [batch, patch, prompt]."""
    stream = visual._embeds(batch)
    terms, constants = [], []
    for block in visual.transformer.resblocks:
        attn = block.attn
        joint = F.linear(block.ln_1(stream), attn.in_proj_weight, attn.in_proj_bias)
        query, key, value = rearrange(
            joint, "b n (three h d) -> three b h n d", three=3, h=attn.num_heads
        )
        weights = (query @ key.mT * query.shape[-1] ** -0.5).softmax(-1)
        out = rearrange(attn.out_proj.weight, "m (h d) -> h d m", h=attn.num_heads)
        moved = einsum(value, out, "b h k d, h d m -> b k h m")
        every = einsum(weights, moved, "b h q k, b k h m -> b q k h m")
        terms.append(every[:, 0].clone())  # [batch, token, head, d_model]; a view would keep all
        constants.append(attn.out_proj.bias)
        stream = stream + every.sum(dim=(2, 3)) + attn.out_proj.bias
        del every
        stream = stream + block.mlp(block.ln_2(stream))
    return _project(visual, stream[:, 0], torch.stack(terms, 1), torch.stack(constants), directions)


def _project(
    visual: VisionTransformer, pooled: Tensor, terms: Tensor, constants: Tensor, directions: Tensor
) -> Tensor:
    norm = visual.ln_post
    layers, tokens, heads = terms.shape[1:4]
    pieces = (2 * layers + 1) * tokens * heads
    mean = pooled.mean(dim=-1)[:, None, None, None, None]
    sigma = (pooled.var(dim=-1, correction=0) + norm.eps).sqrt()[:, None, None, None, None]
    length = (norm(pooled) @ visual.proj).norm(dim=-1)[:, None, None, None, None]
    whole = terms + constants[None, :, None, None] / (tokens * heads)
    normed = (whole - mean / pieces) / sigma * norm.weight + norm.bias / pieces
    embedded = normed @ visual.proj / length  # [batch, layer, token, head, d_embed]
    return embedded.sum(dim=(1, 3))[:, 1:] @ directions.mT
