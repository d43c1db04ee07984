"""Each family against its definition: the terms of every token, one by one, from the real modules.

The streams are recorded by hooks in the tower's own forward pass. Attention is then written out for
every query and token, each norm is applied to a single term with the statistics that it really had,
and the terms are carried through to the embedding. Nothing here is shared with the package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from timm.layers import apply_rot_embed_cat
from torch import Tensor, nn

from napari_clip_heatmap.clip.families import adapt
from napari_clip_heatmap.core.convention import Convention
from napari_clip_heatmap.core.token_map import fold, token_map


@contextmanager
def inputs_of(modules: list[nn.Module]) -> Iterator[list[Tensor]]:
    """Record what goes into each module, in the order in which they run."""
    seen: list[Tensor] = []
    hooks = [m.register_forward_pre_hook(lambda _, args: seen.append(args[0])) for m in modules]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def frozen(norm: Any, terms: Tensor, whole: Tensor) -> Tensor:
    """Apply a LayerNorm to terms [..., d] of `whole`, its deviation held and its shift left out."""
    if norm is None or isinstance(norm, nn.Identity):
        return terms
    sigma = (whole.var(dim=-1, correction=0, keepdim=True) + norm.eps).sqrt()
    while sigma.ndim < terms.ndim:
        sigma = sigma.unsqueeze(-2)
    return (terms - terms.mean(dim=-1, keepdim=True)) / sigma * norm.weight


def divided(norm: Any, terms: Tensor, whole: Tensor) -> Tensor:
    """Apply the last LayerNorm, whose mean the authors split evenly: it is no token's."""
    sigma = (whole.var(dim=-1, correction=0, keepdim=True) + norm.eps).sqrt()
    return terms / sigma.unsqueeze(-2) * norm.weight


def by_token(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    n_heads: int,
    turn: Any = None,
    norms: Any = (),
    bias: Any = 0,
) -> Tensor:
    """Return what each query takes from each token, [batch, query, token, head * d_head]."""

    def heads(x: Tensor) -> Tensor:
        return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)

    query, key, value = heads(query), heads(key), heads(value)
    for norm in norms:
        query, key = norm[0](query), norm[1](key)
    if turn is not None:
        query, key = turn(query), turn(key)
    attention = (query @ key.mT / query.shape[-1] ** 0.5 + bias).softmax(dim=-1)
    return torch.einsum("bhqn,bhnd->bqnhd", attention, value).flatten(3)


def added(
    mixed: Tensor, inner: Any, out: nn.Linear, outer: Any = None, scale: Tensor | None = None
) -> Tensor:
    """Return each token's term in what attention adds, [batch, query, token, d_model]."""
    whole = mixed.sum(dim=2)
    terms = frozen(inner, mixed, whole) @ out.weight.mT
    after = out(whole if inner is None else inner(whole))
    terms = frozen(outer, terms, after)
    return terms if scale is None else terms * scale


def native_terms(visual: Any, images: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield each layer's terms, and the stream after the last layer."""
    blocks = visual.transformer.resblocks
    with inputs_of([*blocks]) as streams:
        last = []
        hook = blocks[-1].register_forward_hook(lambda m, a, out: last.append(out))
        visual(images)
        hook.remove()
    for block, stream in zip(blocks, streams, strict=True):
        attn = block.attn
        joint = block.ln_1(stream) @ attn.in_proj_weight.mT + attn.in_proj_bias
        mixed = by_token(*joint.chunk(3, dim=-1), attn.num_heads)
        yield added(mixed, None, attn.out_proj), last[0]


def timm_terms(visual: Any, images: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    trunk = visual.trunk
    with inputs_of([*trunk.blocks]) as streams:
        last = []
        hook = trunk.blocks[-1].register_forward_hook(lambda m, a, out: last.append(out))
        visual(images)
        hook.remove()
    for block, stream in zip(trunk.blocks, streams, strict=True):
        attn = block.attn
        post = type(block).__name__ in ("EvaBlockPostNorm", "ResPostRelPosBlock")
        normed = stream if post else block.norm1(stream)
        if getattr(attn, "q_proj", None) is not None:
            parts = [attn.q_proj(normed), attn.k_proj(normed), attn.v_proj(normed)]
        else:
            parts = [*attn.qkv(normed).chunk(3, dim=-1)]
            if getattr(attn, "q_bias", None) is not None:
                parts = [parts[0] + attn.q_bias, parts[1], parts[2] + attn.v_bias]

        def turn(x: Tensor, attn: Any = attn) -> Tensor:
            n = attn.num_prefix_tokens
            turned = apply_rot_embed_cat(x[:, :, n:], trunk.rope.get_embed())
            return torch.cat([x[:, :, :n], turned], dim=2)

        rotary = turn if getattr(trunk, "rope", None) is not None else None
        relative = getattr(attn, "rel_pos", None) or getattr(trunk, "shared_rel_pos", None)
        bias = 0 if relative is None else relative.get_bias()
        mixed = by_token(*parts, attn.num_heads, rotary, [(attn.q_norm, attn.k_norm)], bias)
        scale = getattr(getattr(block, "ls1", block), "gamma", getattr(block, "gamma_1", None))
        inner = getattr(attn, "norm", None)
        inner = None if isinstance(inner, nn.Identity) else inner
        yield added(mixed, inner, attn.proj, block.norm1 if post else None, scale), last[0]


def of_patches(terms: Tensor, last: Tensor, norm: Any, pooled: str, n_skipped: int) -> Tensor:
    """Pool terms [batch, query, token, d] as the tower pools its tokens: [batch, token, d]."""
    if pooled == "token":
        return divided(norm, terms[:, 0], last[:, 0])
    if pooled == "mean, then norm":
        return divided(norm, terms[:, n_skipped:].mean(dim=1), last[:, n_skipped:].mean(dim=1))
    return divided(norm, terms, last)[:, n_skipped:].mean(dim=1)


VITS = {
    "CLIPA": "mean, then norm",
    "BiomedCLIP": "token",
    "MobileCLIP-B": "token",
    "ViTamin-S": "mean, then norm",
    "vit_medium_gap": "norm, then mean",
    "EVA01-g": "token",
    "EVA02-B": "token",
    "EVA02-E": "token",
    "TIPSv2-B": "token",
    "RelPos": "token",
    "RelPos, norms after": "norm, then mean",
    "RelPos, shared": "norm, then mean",
}


@torch.no_grad()
@pytest.mark.parametrize("name", VITS)
def test_transformers(
    name: str, image_tower: Callable[..., Any], images_for: Callable[..., Tensor]
) -> None:
    visual = image_tower(name, torch.float64)
    tower = adapt(visual)
    images = images_for(tower, 1)
    if name == "CLIPA":
        layers, norm, project = native_terms(visual, images), visual.ln_post, visual.proj
        n_skipped = 1
    else:
        trunk = visual.trunk
        layers, n_skipped = timm_terms(visual, images), trunk.num_prefix_tokens
        norm = trunk.fc_norm if isinstance(trunk.norm, nn.Identity) else trunk.norm
        linear = visual.head.proj if hasattr(visual.head, "proj") else trunk.head
        none = isinstance(linear, nn.Identity)
        project = torch.eye(trunk.num_features).double() if none else linear.weight.mT
    total = sum(of_patches(*layer, norm, VITS[name], n_skipped) for layer in layers)
    agree(tower, images, visual, total @ project)


@torch.no_grad()
@pytest.mark.parametrize("name", ["SigLIP-B", "SigLIP2-gopt", "SigLIP2-NaFlex", "PE-Core-T"])
def test_attention_pooling(
    name: str, image_tower: Callable[..., Any], images_for: Callable[..., Tensor]
) -> None:
    visual = image_tower(name, torch.float64)
    tower, pool = adapt(visual), visual.trunk.attn_pool
    images = images_for(tower, 1)
    with inputs_of([pool]) as seen:
        visual(images)
    key, value = pool.kv(seen[0]).chunk(2, dim=-1)
    terms = by_token(pool.q(pool.latent), key, value, pool.num_heads)[:, 0] @ pool.proj.weight.mT
    head = visual.trunk.head
    agree(tower, images, visual, terms if isinstance(head, nn.Identity) else terms @ head.weight.mT)


@torch.no_grad()
@pytest.mark.parametrize("name", ["CoCa", "CONCH"])
def test_coca(
    name: str, image_tower: Callable[..., Any], images_for: Callable[..., Tensor]
) -> None:
    visual = image_tower(name, torch.float64)
    tower, pooler = adapt(visual), visual.attn_pool
    images = images_for(tower, 1)
    with inputs_of([pooler]) as seen:
        visual(images)
    tokens, attn = pooler.ln_k(seen[0]), pooler.attn
    bias = attn.in_proj_bias.chunk(3)
    query = pooler.ln_q(pooler.query)[None] @ attn.q_proj_weight.mT + bias[0]
    key, value = tokens @ attn.k_proj_weight.mT + bias[1], tokens @ attn.v_proj_weight.mT + bias[2]
    terms = by_token(query, key, value, attn.num_heads)[:, 0] @ attn.out_proj.weight.mT
    terms = divided(visual.ln_post, terms, pooler(seen[0])[:, 0])
    agree(tower, images, visual, terms @ visual.proj)


def test_resnet(image_tower: Callable[..., Any], images_for: Callable[..., Tensor]) -> None:
    """With attention held, the embedding is linear in the map: slope times map, by place."""
    visual = image_tower("RN50", torch.float64)
    tower, pool = adapt(visual), visual.attnpool
    images = images_for(tower, 1)
    with inputs_of([pool]) as seen, torch.no_grad():
        visual(images)
    places = seen[0].flatten(2).mT.detach().requires_grad_()

    def tokens(x: Tensor) -> Tensor:
        return torch.cat([x.mean(dim=1, keepdim=True), x], dim=1) + pool.positional_embedding

    with torch.no_grad():
        query, key = (
            p(tokens(places)).unflatten(-1, (pool.num_heads, -1)).transpose(1, 2)
            for p in (pool.q_proj, pool.k_proj)
        )
        attention = (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1)[:, :, 0]

    def embedding(x: Tensor) -> Tensor:
        values = pool.v_proj(tokens(x)).unflatten(-1, (pool.num_heads, -1))
        return pool.c_proj(torch.einsum("bhn,bnhd->bhd", attention, values).flatten(1))[0]

    torch.testing.assert_close(embedding(places), visual(images)[0])
    slope = torch.autograd.functional.jacobian(embedding, places)[:, 0]  # [d_embed, place, channel]
    content = torch.einsum("enc,nc->ne", slope, places[0])
    at = pool.v_proj(pool.positional_embedding).unflatten(-1, (pool.num_heads, -1))
    position = torch.einsum("hn,nhd->nhd", attention[0], at).flatten(1) @ pool.c_proj.weight.mT
    with torch.no_grad():
        agree(tower, images, visual, (content + position[1:])[None])


def test_convnext(image_tower: Callable[..., Any], images_for: Callable[..., Tensor]) -> None:
    """With the norm's deviation held, the embedding is linear in the map."""
    visual = image_tower("ConvNeXt-T", torch.float64)
    tower, head = adapt(visual), visual.trunk.head
    images = images_for(tower, 1)
    with inputs_of([head]) as seen, torch.no_grad():
        visual(images)
    places = seen[0].flatten(2).mT.detach().requires_grad_()
    sigma = (places.detach().mean(dim=1).var(correction=0) + head.norm.eps).sqrt()

    def embedding(x: Tensor) -> Tensor:
        mean = x.mean(dim=1)
        normed = (mean - mean.detach().mean()) / sigma * head.norm.weight + head.norm.bias
        return (normed @ visual.head.proj.weight.mT)[0]

    torch.testing.assert_close(embedding(places), visual(images)[0])
    slope = torch.autograd.functional.jacobian(embedding, places)[:, 0]
    with torch.no_grad():
        agree(tower, images, visual, torch.einsum("enc,nc->ne", slope, places[0])[None])


def test_convnext_with_an_mlp(
    image_tower: Callable[..., Any], images_for: Callable[..., Tensor]
) -> None:
    """With deviation and GELU's gate held, the embedding is linear in the map."""
    visual = image_tower("ConvNeXt-L-MLP", torch.float64)
    tower, head, mlp = adapt(visual), visual.trunk.head, visual.head.mlp
    images = images_for(tower, 1)
    with inputs_of([head]) as seen, torch.no_grad():
        visual(images)
    places = seen[0].flatten(2).mT.detach().requires_grad_()
    sigma = (places.detach().mean(dim=1).var(correction=0) + head.norm.eps).sqrt()

    def inner(x: Tensor) -> Tensor:
        mean = x.mean(dim=1)
        centered = mean - mean.mean(dim=-1, keepdim=True)
        return mlp.fc1(centered / sigma * head.norm.weight + head.norm.bias)

    gate = (1 + torch.erf(inner(places.detach()) / 2**0.5)) / 2  # the normal distribution's

    def embedding(x: Tensor) -> Tensor:
        return mlp.fc2(gate * inner(x))[0]

    torch.testing.assert_close(embedding(places), visual(images)[0])
    slope = torch.autograd.functional.jacobian(embedding, places)[:, 0]
    with torch.no_grad():
        agree(tower, images, visual, torch.einsum("enc,nc->ne", slope, places[0])[None])


@torch.no_grad()
@pytest.mark.parametrize("name", ["MobileCLIP2-S0", "MobileCLIP2-S3", "Swin-B"])
def test_the_mean_of_a_map(
    name: str, image_tower: Callable[..., Any], images_for: Callable[..., Tensor]
) -> None:
    """The head is linear: it gives a place's part for a map that holds that place alone."""
    visual = image_tower(name, torch.float64)
    tower, head = adapt(visual), visual.trunk.head
    images = images_for(tower, 1)
    with inputs_of([head]) as seen:
        visual(images)
    at = seen[0].movedim(1, 3) if name != "Swin-B" else seen[0]  # [1, y, x, channel]
    rows, columns = at.shape[1:3]
    assert (rows, columns) == tower.grid
    parts = []
    for y, x in np.ndindex(rows, columns):
        alone = torch.zeros_like(at)
        alone[:, y, x] = at[:, y, x]
        alone = alone.movedim(3, 1) if name != "Swin-B" else alone
        parts.append(visual.head(head(alone)) - visual.head(head(torch.zeros_like(alone))))
    agree(tower, images, visual, torch.stack(parts, dim=1))


def agree(tower: Any, images: Tensor, visual: Any, expected: Tensor) -> None:
    """Compare patches with one another: what all of them share is in the sum, tested elsewhere."""
    answer = visual(images)
    embedding = answer[0] if isinstance(answer, tuple) else answer
    found = token_map(tower, images, fold(tower, Convention.REFERENCE)).tokens.flatten(1, 2)
    expected = expected[:, -found.shape[1] :] / embedding.norm(dim=-1)[:, None, None]
    difference = (found - expected) - (found - expected).mean(dim=1, keepdim=True)
    assert difference.abs().max() <= 1e-10 * expected.abs().max()
    assert (expected - expected.mean(dim=1, keepdim=True)).abs().max() > 1e-4
