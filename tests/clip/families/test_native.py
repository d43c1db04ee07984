"""The native family: every variant of the tower that open_clip can build is exact or refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import open_clip
import pytest
import torch
from open_clip.model import CLIPVisionCfg, _build_vision_tower
from torch import Tensor, nn
from torch.nn import functional as F

from napari_clip_heatmap.clip.families import adapt
from napari_clip_heatmap.core.convention import Convention
from napari_clip_heatmap.core.decomposition import decompose
from napari_clip_heatmap.core.exactness import relative_error
from napari_clip_heatmap.core.selection import select
from napari_clip_heatmap.core.token_map import fold, token_map
from napari_clip_heatmap.errors import DecompositionError, UnsupportedModelError

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "QuickGELU": {"quick_gelu": True},
    "LayerScale": {"ls_init_value": 0.1},
    "no_ln_pre": {"no_ln_pre": True},
    "final_ln_after_pool": {"final_ln_after_pool": True},
    "output_tokens": {"output_tokens": True},
    "eps": {"norm_kwargs": {"eps": 0.05}},
    "patch dropout": {"patch_dropout": 0.5},
    "fixed positions": {"pos_embed_type": "sin_cos_2d"},
    "not square": {"image_size": (32, 16), "patch_size": (8, 4)},
    "one layer": {"layers": 1},
    "open_clip's own attention": {"block_type": "custom"},
    "norm of queries and keys": {"qk_norm": True},
    "head scale": {"scale_heads": True, "ls_init_value": 0.2},
    "norm in the MLP": {"scale_fc": True},
    "norm before the output projection": {"scale_attn_inner": True, "scale_heads": True},
    "norm after attention": {"scale_attn": True, "ls_init_value": 0.3},
    "both norms": {"scale_attn": True, "scale_attn_inner": True},
    "mean, then norm": {"pool_type": "avg", "final_ln_after_pool": True, "no_ln_pre": True},
    "norm, then mean": {"pool_type": "avg", "ls_init_value": 0.3},
    "norms around attention, then mean": {
        "pool_type": "avg",
        "scale_attn": True,
        "scale_attn_inner": True,
        "final_ln_after_pool": True,
    },
    "norms around attention, norm, then mean": {
        "pool_type": "avg",
        "scale_attn": True,
        "scale_attn_inner": True,
        "qk_norm": True,
    },
}


def encode(visual: nn.Module, batch: Tensor) -> Tensor:
    answer = visual(batch)
    return answer[0] if isinstance(answer, tuple) else answer


def require(*options: str) -> None:
    """Skip where the installed open_clip is too old to know an option."""
    new = set(options) - {field.name for field in fields(CLIPVisionCfg)} - {"quick_gelu"}
    if new:
        pytest.skip(f"this open_clip knows no {', '.join(new)}")


@torch.no_grad()
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_is_exact(name: str, make_clip: Callable[..., Any]) -> None:
    require(*VARIANTS[name])
    visual = make_clip(4, **VARIANTS[name]).visual
    tower = adapt(visual)
    batch = torch.randn(2, 3, *tower.image_size, generator=torch.Generator().manual_seed(2))
    assert relative_error(tower, batch, fold(tower), encode(visual, batch)) <= 1e-6
    visual, batch = visual.double(), batch.double()
    for convention in Convention:
        unit = F.normalize(encode(visual, batch), dim=-1)
        everything = select(None, None, n_layers=tower.n_layers, n_heads=tower.n_heads)
        parts = decompose(tower, batch, everything, convention)
        assert (parts.total - unit).abs().max() <= 1e-13
        tokens = token_map(tower, batch, fold(tower, convention)).tokens
        difference = tokens.flatten(1, 2) - parts.attention.sum((1, 3))[:, 1:]
        assert difference.abs().max() <= 1e-13


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no pooling": ({"pool_type": "none"}, "pooling of type 'none'"),
    "scaled cosine": ({"scaled_cosine_attn": True}, "scaled cosine"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_missing_is_named(name: str, make_clip: Callable[..., Any]) -> None:
    vision, message = REFUSED[name]
    require(*vision)
    with pytest.raises(UnsupportedModelError, match=message):
        adapt(make_clip(**vision).visual)


def test_a_tower_without_projection_is_refused(tiny_clip: Any) -> None:
    visual = copy.deepcopy(tiny_clip.visual)
    visual.proj = None
    with pytest.raises(UnsupportedModelError, match="proj"):
        adapt(visual)


def test_extra_keys_are_refused(tiny_clip: Any) -> None:
    visual = copy.deepcopy(tiny_clip.visual)
    visual.transformer.resblocks[1].attn.add_zero_attn = True
    with pytest.raises(UnsupportedModelError, match="extra keys"):
        adapt(visual)


class LaterAttention(nn.Module):
    """Attention as open_clip releases after 3.3 have it: no ``embed_dim``, no ``batch_first``."""

    def __init__(self, old: nn.MultiheadAttention) -> None:
        super().__init__()
        self.num_heads = old.num_heads
        self.head_dim = old.head_dim
        self.scale = self.head_dim**-0.5
        self.in_proj_weight = nn.Parameter(old.in_proj_weight.detach().clone())
        self.in_proj_bias = nn.Parameter(old.in_proj_bias.detach().clone())
        self.ln_q, self.ln_k, self.ln_inner = nn.Identity(), nn.Identity(), nn.Identity()
        self.logit_scale = self.head_scale = None
        self.attn_drop, self.out_drop = nn.Dropout(0.0), nn.Dropout(0.0)
        width, dtype = old.embed_dim, old.in_proj_weight.dtype
        self.out_proj = nn.Linear(width, width, dtype=dtype)
        self.out_proj.load_state_dict(old.out_proj.state_dict())

    def forward(self, x: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        assert attn_mask is None
        batch, tokens, width = x.shape
        joint = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        query, key, value = (
            part.reshape(batch, tokens, self.num_heads, -1).transpose(1, 2)
            for part in joint.chunk(3, dim=-1)
        )
        weights = (self.ln_q(query) * self.scale @ self.ln_k(key).transpose(-1, -2)).softmax(-1)
        mixed = (self.attn_drop(weights) @ value).transpose(1, 2).reshape(batch, tokens, width)
        return self.out_drop(self.out_proj(self.ln_inner(mixed)))


class LaterBlock(nn.Module):
    """A residual block that calls such an attention with one argument."""

    def __init__(self, old: Any) -> None:
        super().__init__()
        self.ln_1, self.ls_1, self.ln_2 = old.ln_1, old.ls_1, old.ln_2
        self.mlp, self.ls_2 = old.mlp, old.ls_2
        self.attn = LaterAttention(old.attn)

    def forward(self, x: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        x = x + self.ls_1(self.attn(self.ln_1(x), attn_mask=attn_mask))
        return x + self.ls_2(self.mlp(self.ln_2(x)))


@torch.no_grad()
@pytest.mark.parametrize("ls_init_value", [None, 0.3])
def test_the_later_attention_class_gives_the_same_map(
    make_clip: Callable[..., Any], batch: Tensor, ls_init_value: float | None
) -> None:
    old = make_clip(7, ls_init_value=ls_init_value).visual.double()
    new = copy.deepcopy(old)
    new.transformer.resblocks = nn.ModuleList(
        LaterBlock(block) for block in new.transformer.resblocks
    )
    assert not hasattr(new.transformer.resblocks[0].attn, "embed_dim")
    batch = batch.double()
    tower = adapt(new)
    assert relative_error(tower, batch, fold(tower), new(batch)) <= 1e-13
    for convention in Convention:
        expected = token_map(adapt(old), batch, fold(adapt(old), convention))
        found = token_map(tower, batch, fold(tower, convention))
        torch.testing.assert_close(found.tokens, expected.tokens)


@torch.no_grad()
def test_attention_without_value_bias(make_clip: Callable[..., Any], batch: Tensor) -> None:
    require("block_type")
    visual = make_clip(8, block_type="custom").visual
    for block in visual.transformer.resblocks:
        block.attn.in_proj_bias = None
    tower = adapt(visual)
    for convention in Convention:
        assert relative_error(tower, batch, fold(tower, convention), visual(batch)) <= 1e-6


def random_tower(name: str) -> Any:
    """Return the image tower alone of a released architecture, quickly filled at random."""
    config = open_clip.get_model_config(name)
    with torch.device("meta"):
        visual = _build_vision_tower(
            config["embed_dim"], config["vision_cfg"], config.get("quick_gelu", False)
        )
    visual = visual.to_empty(device="cpu").eval()
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for key, weight in visual.state_dict().items():
            bound = (3 / weight.shape[-1]) ** 0.5 if weight.ndim > 1 else 0.1
            weight.uniform_(-bound, bound, generator=generator)
            if key.endswith(("ln_1.weight", "ln_2.weight", "ln_pre.weight", "ln_post.weight")):
                weight += 1
    return visual


@torch.no_grad()
@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B-16", "ViT-L-14"])
def test_released_architectures_are_exact(name: str) -> None:
    visual = random_tower(name)
    tower = adapt(visual)
    batch = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(2))
    assert relative_error(tower, batch, fold(tower), visual(batch)) <= 1e-5
    if name == "ViT-B-32":
        visual, batch = visual.double(), batch.double()
        assert relative_error(tower, batch, fold(tower), visual(batch)) <= 1e-10


@torch.no_grad()
def test_every_layer_and_token_of_a_mean(
    image_tower: Callable[..., Any], images_for: Callable[..., Tensor], oracle: Any
) -> None:
    """CLIPA: the mean of the patches, then norm."""
    visual = image_tower("CLIPA", torch.float64)
    tower = adapt(visual)
    images = images_for(tower, 1)
    total = sum(
        oracle.of_patches(*layer, visual.ln_post, "mean, then norm", 1)
        for layer in oracle.native_terms(visual, images)
    )
    oracle.agree(tower, images, visual, total @ visual.proj)


@torch.no_grad()
@pytest.mark.parametrize("name", ["mean, then norm", "norm, then mean", "norm in the MLP, mean"])
def test_mlps_of_a_mean_by_token(name: str, make_clip: Callable[..., Any]) -> None:
    """Each patch gets its own MLPs and input, as hooks see them; the sum stays exact."""
    options = {"pool_type": "avg", "scale_fc": True, "ls_init_value": 0.3}
    visual = make_clip(4, **VARIANTS.get(name, options)).visual.double()
    tower = adapt(visual)
    batch = torch.randn(
        2, 3, *tower.image_size, generator=torch.Generator().manual_seed(2)
    ).double()
    blocks = [*visual.transformer.resblocks]
    added: list[Tensor] = []
    last: list[Tensor] = []
    hooks = [
        block.ls_2.register_forward_hook(lambda m, a, out: added.append(out)) for block in blocks
    ]
    hooks.append(blocks[0].register_forward_pre_hook(lambda m, a: added.append(a[0])))
    hooks.append(blocks[-1].register_forward_hook(lambda m, a, out: last.append(out)))
    embedding = encode(visual, batch)
    for hook in hooks:
        hook.remove()
    norm, direct, folded = visual.ln_post, sum(added), fold(tower)
    if name == "mean, then norm":
        pooled = last[0][:, 1:].mean(dim=1)
        sigma = (pooled.var(dim=-1, correction=0) + norm.eps).sqrt()[:, None]
    else:
        sigma = (last[0][:, 1:].var(dim=-1, correction=0) + norm.eps).sqrt()
    # The mean that the last norm subtracts is split evenly among terms: it is no token's.
    expected = (
        (direct[:, 1:] / sigma[..., None] * norm.weight) @ visual.proj / (direct.shape[1] - 1)
    )
    expected = expected / embedding.norm(dim=-1)[:, None, None]
    plain = token_map(tower, batch, folded)
    resolved = token_map(tower, batch, folded, mlp_by_token=True)
    found = (resolved.tokens - plain.tokens).flatten(1, 2)
    varying = expected - expected.mean(dim=1, keepdim=True)
    difference = found - found.mean(dim=1, keepdim=True) - varying
    assert difference.abs().max() <= 1e-10 * varying.abs().max()
    assert (resolved.total - plain.total).abs().max() <= 1e-12
    assert resolved.rest.abs().max() < plain.rest.abs().max()


def test_mlps_of_a_class_token_belong_to_no_patch(make_clip: Callable[..., Any]) -> None:
    tower = adapt(make_clip(4).visual)
    with pytest.raises(DecompositionError, match="not a mean over tokens"):
        token_map(tower, torch.zeros(1, 3, *tower.image_size), fold(tower), mlp_by_token=True)
