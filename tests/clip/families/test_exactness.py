"""T1 for each family: what the tokens, MLPs and input bring sums to what the tower itself says."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_clip_heatmap.clip.families import adapt
from napari_clip_heatmap.core.convention import Convention
from napari_clip_heatmap.core.decomposition import decompose
from napari_clip_heatmap.core.exactness import relative_error
from napari_clip_heatmap.core.head_vectors import run_heads
from napari_clip_heatmap.core.selection import select
from napari_clip_heatmap.core.token_map import fold, token_map

FAMILIES = {
    "CLIPA": "native",
    "BiomedCLIP": "timm_vit",
    "MobileCLIP-B": "timm_vit",
    "ViTamin-S": "timm_vit",
    "vit_medium_gap": "timm_vit",
    "EVA01-g": "eva",
    "EVA02-B": "eva",
    "EVA02-E": "eva_post_norm",
    "SigLIP-B": "attention_pool",
    "SigLIP2-gopt": "attention_pool",
    "PE-Core-T": "attention_pool",
    "CoCa": "coca",
    "CONCH": "timm_coca",
    "RN50": "resnet",
    "ConvNeXt-T": "convnext",
    "ConvNeXt-L-MLP": "convnext",
    "MobileCLIP2-S0": "fastvit",
    "MobileCLIP2-S3": "fastvit",
    "Swin-B": "swin",
    "RelPos": "relative_vit",
    "RelPos, norms after": "relative_vit",
    "RelPos, shared": "relative_vit",
    "TIPSv2-B": "timm_vit",
    "SigLIP2-NaFlex": "attention_pool",
}


def embed(visual: Any, images: Tensor) -> Tensor:
    answer = visual(images)
    return answer[0] if isinstance(answer, tuple) else answer


@torch.no_grad()
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_parts_sum_to_the_embedding(
    name: str,
    dtype: torch.dtype,
    tolerance: float,
    image_tower: Callable[..., Any],
    images_for: Callable[..., Tensor],
) -> None:
    visual = image_tower(name, dtype)
    tower = adapt(visual)
    assert tower.family == FAMILIES[name]
    images = images_for(tower)
    embedding = embed(visual, images)
    for convention in Convention:
        assert relative_error(tower, images, fold(tower, convention), embedding) <= tolerance


@torch.no_grad()
@pytest.mark.parametrize("name", FAMILIES)
def test_the_map_is_the_full_tensor_summed(
    name: str, image_tower: Callable[..., Any], images_for: Callable[..., Tensor]
) -> None:
    visual = image_tower(name, torch.float64)
    tower = adapt(visual)
    images = images_for(tower, 1)
    unit = F.normalize(embed(visual, images), dim=-1)
    n_patches = tower.grid[0] * tower.grid[1]
    sizes = {"n_layers": tower.n_layers, "n_heads": tower.n_heads}
    for convention in Convention:
        parts = decompose(tower, images, select(None, None, **sizes), convention)
        mapped = token_map(tower, images, fold(tower, convention))
        by_token = parts.attention.sum(dim=(1, 3))
        torch.testing.assert_close(by_token[:, -n_patches:], mapped.tokens.flatten(1, 2))
        assert by_token.shape[1] == n_patches + max(1, tower.n_prefix)  # token 0: class token
        torch.testing.assert_close(parts.total, unit)
        some = decompose(tower, images, select([-1], [0], **sizes), convention)
        torch.testing.assert_close(some.total, unit)


@torch.no_grad()
@pytest.mark.parametrize("name", FAMILIES)
def test_the_patches_matter(
    name: str, image_tower: Callable[..., Any], images_for: Callable[..., Tensor]
) -> None:
    """No map is flat or a small remainder: the exactness above is not that of a constant."""
    tower = adapt(image_tower(name))
    tokens = token_map(tower, images_for(tower), fold(tower, Convention.CENTERED)).tokens
    varying = tokens - tokens.mean(dim=(1, 2), keepdim=True)
    assert varying.norm(dim=-1).sum(dim=(1, 2)).min() > 0.02


@torch.no_grad()
@pytest.mark.parametrize("name", ["BiomedCLIP", "EVA02-B", "EVA02-E", "SigLIP-B", "RelPos"])
def test_without_biases(
    name: str, image_tower: Callable[..., Any], images_for: Callable[..., Tensor]
) -> None:
    visual = copy.deepcopy(image_tower(name, torch.float64))
    for part in ("qkv", "q_proj", "k_proj", "v_proj", "kv", "proj"):
        for module in visual.trunk.modules():
            if isinstance(getattr(module, part, None), nn.Linear):
                getattr(module, part).bias = None
    tower = adapt(visual)
    images = images_for(tower)
    everything = select(None, None, n_layers=tower.n_layers, n_heads=tower.n_heads)
    embedding = embed(visual, images)
    for convention in Convention:
        assert relative_error(tower, images, fold(tower, convention), embedding) <= 1e-10
        parts = decompose(tower, images, everything, convention)
        torch.testing.assert_close(parts.total, F.normalize(embedding, dim=-1))


TRAINING = (
    *("MobileCLIP-B", "SigLIP-B", "CoCa", "RN50", "ConvNeXt-T"),
    *("ConvNeXt-L-MLP", "MobileCLIP2-S0", "MobileCLIP2-S3", "Swin-B", "RelPos", "CONCH"),
)


@torch.no_grad()
@pytest.mark.parametrize("name", TRAINING)
def test_a_tower_that_trains_is_left_as_it_is(
    name: str, image_tower: Callable[..., Any], images_for: Callable[..., Tensor]
) -> None:
    """Batch norms would change their statistics, dropout the answer, were it run as it stands."""
    still = image_tower(name)
    visual = copy.deepcopy(still)
    visual.train()
    before = {key: value.clone() for key, value in visual.state_dict().items()}
    tower = adapt(visual)
    images = images_for(tower)
    found = token_map(tower, images, fold(tower))
    expected = token_map(adapt(still), images, fold(adapt(still)))
    torch.testing.assert_close(found.tokens, expected.tokens)
    assert all(part.training for part in visual.modules())
    for key, value in visual.state_dict().items():
        assert torch.equal(value, before[key]), key


HALF = (
    *("MobileCLIP-B", "EVA02-B", "PE-Core-T", "CoCa", "RN50"),
    *("ConvNeXt-L-MLP", "MobileCLIP2-S0", "Swin-B", "RelPos"),
)


@torch.no_grad()
@pytest.mark.parametrize("name", HALF)
def test_half_precision_weights_sum_in_single(
    name: str, image_tower: Callable[..., Any], images_for: Callable[..., Tensor]
) -> None:
    visual = image_tower(name)
    tower, half = adapt(visual), adapt(copy.deepcopy(visual).to(torch.bfloat16))
    images = images_for(tower)
    exact, found = (token_map(each, images, fold(each)) for each in (tower, half))
    assert found.tokens.dtype == torch.float32
    scale = exact.tokens.std()
    assert (found.tokens - exact.tokens).abs().mean() <= 0.2 * scale


@torch.no_grad()
@pytest.mark.parametrize("name", FAMILIES)
def test_layers_and_heads_sum_to_the_map(
    name: str, image_tower: Callable[..., Any], images_for: Callable[..., Tensor]
) -> None:
    tower = adapt(image_tower(name, torch.float64))
    images = images_for(tower)
    mapped, heads = token_map(tower, images, fold(tower)), run_heads(tower, images)
    generator = torch.Generator().manual_seed(3)
    text = F.normalize(torch.randn(3, tower.d_embed, generator=generator).double(), dim=-1)
    cells = torch.rand(2, *tower.grid, generator=generator).double()
    found = heads.contributions(heads.patch_weights(cells), text)
    assert found.shape == (2, 3, tower.n_layers, tower.n_heads)
    expected = torch.einsum("byx,byxd,pd->bp", cells, mapped.tokens, text)
    torch.testing.assert_close(found.sum(dim=(2, 3)), expected)
    maps = heads.maps(text).sum(dim=(2, 3))
    torch.testing.assert_close(maps, (mapped.tokens @ text.mT).movedim(-1, 1))
    ones = torch.ones(2, heads.n_tokens).double()
    whole = heads.contributions(ones, text).sum(dim=(2, 3))
    whole = whole + heads.direct_contributions(text).sum(dim=2)
    torch.testing.assert_close(whole, F.normalize(mapped.representation, dim=-1) @ text.mT)
