"""open_clip's own vision transformer with class-token pooling, as in most released CLIP models.

Pre-norm blocks with or without LayerScale, any activation, any of open_clip's two attention
classes: torch's ``nn.MultiheadAttention`` (open_clip 2.26 to 3.3) and open_clip's own ``Attention``
(custom blocks, and later versions), which has no ``embed_dim`` and no ``batch_first``. So only
weights and the number of heads are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from napari_clip_heatmap.core.attention import (
    pooled_weights,
    pooled_weights_from_inputs,
    token_shares,
)
from napari_clip_heatmap.core.norm import layer_norm, statistics
from napari_clip_heatmap.core.tower import Reading, Step, Tower, accumulator
from napari_clip_heatmap.errors import UnsupportedModelError

__all__ = ["NativeBlock", "NativeHead", "adapt"]


def adapt(visual: Any) -> Tower | None:
    """Return the tower, or None where `visual` is no open_clip vision transformer."""
    parts = ("conv1", "class_embedding", "positional_embedding", "transformer", "ln_post")
    blocks = getattr(getattr(visual, "transformer", None), "resblocks", None)
    if blocks is None or not all(hasattr(visual, part) for part in parts):
        return None
    missing = [
        *_missing_in_head(visual),
        *(lack for block in blocks for lack in _missing_in(block)),
    ]
    if missing:
        raise UnsupportedModelError(
            "This vision transformer has parts for which no exact decomposition is known here: "
            f"{'; '.join(dict.fromkeys(missing))}. Supported are pre-norm blocks with plain "
            "attention, and class-token pooling."
        )
    d_model, d_embed = visual.proj.shape
    return Tower(
        family="native",
        embed=_Embedding(visual),
        blocks=tuple(NativeBlock(block) for block in blocks),
        head=NativeHead(visual),
        n_heads=blocks[0].attn.num_heads,
        d_model=d_model,
        d_embed=d_embed,
        image_size=_pair(visual.image_size),
        patch_size=_pair(visual.patch_size),
    )


@dataclass(frozen=True)
class _Embedding:
    """Patches, class token and positions: the residual stream before the first block."""

    visual: Any

    def __call__(self, batch: Tensor) -> Tensor:
        visual = self.visual
        patches = visual.conv1(batch.to(visual.conv1.weight.dtype))
        patches = rearrange(patches, "batch d_model y x -> batch (y x) d_model")
        cls = visual.class_embedding.to(patches.dtype).expand(len(batch), 1, -1)
        stream = torch.cat([cls, patches], dim=1) + visual.positional_embedding.to(patches.dtype)
        return _normed(visual.ln_pre, stream)


@dataclass(frozen=True)
class NativeBlock:
    """A pre-norm block: ``x + ls_1(attn(ln_1(x)))``, then ``x + ls_2(mlp(ln_2(x)))``.

    The residual stream is kept in single precision or wider; the matrix products run in the
    precision of their weights.
    """

    module: Any

    @property
    def out_weight(self) -> Tensor:
        """Output projection, LayerScale included, [d_model, head * d_head]."""
        weight: Tensor = self.module.attn.out_proj.weight
        gamma = getattr(self.module.ls_1, "gamma", None)
        return weight if gamma is None else gamma[:, None] * weight

    @property
    def value_bias(self) -> Tensor | None:
        """Bias of the values, head scale included, [head, d_head]."""
        attn = self.module.attn
        if attn.in_proj_bias is None:
            return None
        bias = rearrange(
            attn.in_proj_bias, "(three head d) -> three head d", three=3, head=attn.num_heads
        )
        return _scaled_heads(attn, bias[2])

    def step(self, stream: Tensor) -> Step:
        """Run the block for all tokens."""
        return self._finish(stream, *_attend(self.module.attn, _normed(self.module.ln_1, stream)))

    def last_step(self, stream: Tensor) -> Step:
        """Run the block for the class token alone; keys and values are of all tokens."""
        normed = _normed(self.module.ln_1, stream)
        weights, shares = _attend_pooled(self.module.attn, normed)
        return self._finish(stream[:, :1], shares.sum(dim=1, keepdim=True), weights, shares)

    def _finish(self, stream: Tensor, mixed: Tensor, weights: Tensor, shares: Tensor) -> Step:
        """Project what attention mixed, [batch, query, head, d_head], and run the MLP."""
        module = self.module
        out = module.attn.out_proj
        attended = out(mixed.flatten(2).to(out.weight.dtype))
        stream = stream + _layer_scaled(module.ls_1, attended)
        normed = _normed(module.ln_2, stream).to(out.weight.dtype)
        mlp = _layer_scaled(module.ls_2, module.mlp(normed)).to(stream.dtype)
        return Step(
            stream=stream + mlp,
            weights=weights,
            shares=shares,
            constant=_layer_scaled(module.ls_1, out.bias),
            mlp=mlp[:, 0],
        )


@dataclass(frozen=True)
class NativeHead:
    """The class token through ``ln_post`` and ``proj``.

    Whether the norm comes before the pooling or after it (``final_ln_after_pool``) is the same for
    a single pooled token.
    """

    visual: Any

    @property
    def weight(self) -> Tensor:
        """Gain of the last norm times projection, [d_model, d_embed]."""
        projection = _wide(self.visual.proj)
        gain = self.visual.ln_post.weight
        return projection if gain is None else _wide(gain)[:, None] * projection

    @property
    def offset(self) -> Tensor:
        """Shift of the last norm through the projection, [d_embed]."""
        shift, projection = self.visual.ln_post.bias, _wide(self.visual.proj)
        return (
            projection.new_zeros(projection.shape[1])
            if shift is None
            else _wide(shift) @ projection
        )

    def pool(self, stream: Tensor) -> Tensor:
        """Return the class token, [batch, d_model]."""
        return stream[:, 0]

    def read(self, pooled: Tensor) -> Reading:
        """Return the last norm's statistics and the embedding."""
        mean, sigma = statistics(pooled, self.visual.ln_post.eps)
        return Reading(mean, sigma, _normed(self.visual.ln_post, pooled) @ _wide(self.visual.proj))


def _missing_in_head(visual: Any) -> Iterator[str]:
    if getattr(visual, "attn_pool", None) is not None:
        yield "attentional pooling (attn_pool)"
    elif getattr(visual, "pool_type", "tok") != "tok":
        yield f"pooling of type {visual.pool_type!r}"
    if getattr(visual, "proj", None) is None:
        yield "no projection to the joint space (proj)"
    if getattr(visual, "input_patchnorm", False):
        yield "a norm of the patches (input_patchnorm)"
    if not isinstance(visual.ln_post, nn.LayerNorm):
        yield f"a last norm of type {type(visual.ln_post).__name__} (ln_post)"


def _missing_in(block: Any) -> Iterator[str]:
    parts = ("ln_1", "attn", "ls_1", "ln_2", "mlp", "ls_2")
    absent = [part for part in parts if not hasattr(block, part)]
    if absent:
        yield f"a block of type {type(block).__name__} without {', '.join(absent)}"
        return
    if not isinstance(getattr(block, "ln_attn", nn.Identity()), nn.Identity):
        yield "a norm after attention (scale_attn)"
    attn = block.attn
    if getattr(attn, "in_proj_weight", None) is None or not hasattr(attn, "num_heads"):
        yield f"attention of type {type(attn).__name__} without joint query-key-value weights"
        return
    if getattr(attn, "logit_scale", None) is not None:
        yield "scaled cosine attention (scaled_cosine_attn)"
    if not isinstance(getattr(attn, "ln_inner", nn.Identity()), nn.Identity):
        yield "a norm before the output projection (scale_attn_inner)"
    if getattr(attn, "bias_k", None) is not None or getattr(attn, "add_zero_attn", False):
        yield "extra keys and values (bias_k, add_zero_attn)"


def _normed(norm: Any, stream: Tensor) -> Tensor:
    if isinstance(norm, nn.Identity):
        return stream.to(accumulator(stream.dtype))
    return layer_norm(stream, norm.weight, norm.bias, norm.eps)


def _attend(attn: Any, normed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return what attention mixed [batch, query, head, d_head], and the pooled weights and shares.

    Queries, keys and values are as large as the rest of a block together: they end here.
    """
    joint = F.linear(normed.to(attn.in_proj_weight.dtype), attn.in_proj_weight, attn.in_proj_bias)
    query, key, value = _heads(attn, joint, n_parts=3)
    query, key = _query_norm(attn, query), _key_norm(attn, key)
    weights = pooled_weights(query[:, :, :1], key, key.shape[-1] ** -0.5)
    mixed = F.scaled_dot_product_attention(query, key, value)
    mixed = rearrange(mixed, "batch head token d -> batch token head d")
    return _scaled_heads(attn, mixed), weights, _shares(attn, weights, value)


def _attend_pooled(attn: Any, normed: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pooled weights and shares, of the class token's query alone.

    Keys serve one query only, so they are computed just where a norm follows them.
    """
    weight, bias = attn.in_proj_weight, attn.in_proj_bias
    width, normed = weight.shape[1], normed.to(weight.dtype)
    query, key, value = weight.chunk(3)
    query_bias, key_bias, value_bias = (None,) * 3 if bias is None else bias.chunk(3)
    (asked,) = _heads(attn, F.linear(normed[:, :1], query, query_bias), n_parts=1)
    asked, scale = _query_norm(attn, asked), (width // attn.num_heads) ** -0.5
    if not isinstance(getattr(attn, "ln_k", nn.Identity()), nn.Identity):
        (keys,) = _heads(attn, F.linear(normed, key, key_bias), n_parts=1)
        weights = pooled_weights(asked, _key_norm(attn, keys), scale)
    else:
        weights = pooled_weights_from_inputs(asked, normed, key, scale)
    (values,) = _heads(attn, F.linear(normed, value, value_bias), n_parts=1)
    return weights, _shares(attn, weights, values)


def _heads(attn: Any, projected: Tensor, n_parts: int) -> tuple[Tensor, ...]:
    """Split into parts and heads, each [batch, head, token, d_head]."""
    return tuple(
        rearrange(
            projected,
            "batch token (part head d) -> part batch head token d",
            part=n_parts,
            head=attn.num_heads,
        )
    )


def _query_norm(attn: Any, query: Tensor) -> Tensor:
    return _normed(attn.ln_q, query).to(query.dtype) if hasattr(attn, "ln_q") else query


def _key_norm(attn: Any, key: Tensor) -> Tensor:
    return _normed(attn.ln_k, key).to(key.dtype) if hasattr(attn, "ln_k") else key


def _scaled_heads(attn: Any, mixed: Tensor) -> Tensor:
    """Apply the learned factor of each head, if there is one, to [..., head, d_head]."""
    factor = getattr(attn, "head_scale", None)
    return mixed if factor is None else mixed * factor.reshape(-1, 1).to(mixed.dtype)


def _shares(attn: Any, weights: Tensor, value: Tensor) -> Tensor:
    """Return what the pooled query takes from each token, [batch, token, head, d_head]."""
    values = rearrange(value, "batch head token d -> batch token head d")
    return _scaled_heads(attn, token_shares(weights, values))


def _layer_scaled(scale: Any, added: Tensor) -> Tensor:
    gamma = getattr(scale, "gamma", None)
    return added if gamma is None else added * gamma


def _wide(tensor: Tensor) -> Tensor:
    return tensor.to(accumulator(tensor.dtype))


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
