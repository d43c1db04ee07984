"""What no family can decompose is refused, and what is missing is named."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from open_clip.model import _build_vision_tower
from torch import nn

from napari_clip_heatmap.clip import families
from napari_clip_heatmap.clip.families import adapt
from napari_clip_heatmap.clip.sources.build import refuse_unsupported
from napari_clip_heatmap.errors import UnsupportedModelError

ROOT = Path(__file__).parents[3]

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an MLP after the trunk": (
        {"timm_model_name": "vit_tiny_patch16_224", "timm_pool": "", "timm_proj": "mlp"},
        "timm_proj 'mlp'",
    ),
    "two-fold pooling": (
        {"timm_model_name": "vit_tiny_patch16_224", "timm_pool": "avgmax", "timm_proj": "linear"},
        "pooling of type 'avgmax'",
    ),
    "attention without projections": (
        {"timm_model_name": "vit_dlittle_patch16_reg1_gap_256", "timm_proj": "linear"},
        "attention of type DiffAttention",
    ),
    "another trunk": (
        {"timm_model_name": "mambaout_femto", "timm_proj": "linear"},
        r"type MambaOut\. Supported families: .*convnext.*native",
    ),
    "the largest of a map": (
        {"timm_model_name": "convnext_atto", "timm_pool": "max", "timm_proj": "linear"},
        "ConvNeXt.*pooling of type 'max'",
    ),
    "a map's places by attention": (
        {"timm_model_name": "fastvit_t8", "timm_pool": "abs_attn", "timm_proj": ""},
        "FastViT.*pooling of type 'AttentionPool2d'|FastViT.*pooling of type ''",
    ),
    "an MLP after relative positions": (
        {"timm_model_name": "vit_srelpos_small_patch16_224", "timm_proj": "mlp"},
        "relative positions.*timm_proj 'mlp'",
    ),
    "CoCa with two poolers": ({"attentional_pool": "cascade"}, "two attentional poolings"),
    "CoCa's mean": (
        {"attentional_pool": True, "pool_type": "avg"},
        "pooling of type 'avg' after the attentional one",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_missing_is_named(name: str) -> None:
    vision, message = REFUSED[name]
    with torch.device("meta"):
        visual = _build_vision_tower(64, {"layers": 2, "width": 64, "image_size": 224, **vision})
    with pytest.raises(UnsupportedModelError, match=message):
        adapt(visual)


class RootMeanSquare(nn.Module):
    """A norm that the algebra does not know."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / x.square().mean(-1, keepdim=True).sqrt()


def break_norm(visual: Any) -> None:
    visual.trunk.blocks[1].norm2 = RootMeanSquare()


def break_inner_norm(visual: Any) -> None:
    visual.trunk.blocks[0].attn.norm = RootMeanSquare()


def break_gate(visual: Any) -> None:
    visual.trunk.blocks[0].attn.gate = nn.Linear(1, 1)


def break_queries(visual: Any) -> None:
    visual.trunk.attn_pool.latent = nn.Parameter(torch.zeros(1, 2, 192))


def break_activation(visual: Any) -> None:
    visual.head.mlp.act = nn.Softplus()


def break_mlp(visual: Any) -> None:
    visual.head.mlp.norm = nn.LayerNorm(128)


def break_block(visual: Any) -> None:
    visual.trunk.blocks[0].norm1 = RootMeanSquare()


def break_head(visual: Any) -> None:
    visual.trunk.fc_norm = nn.LayerNorm(4)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("BiomedCLIP", break_norm, "RootMeanSquare .norm2"),
        ("EVA02-B", break_inner_norm, "RootMeanSquare .norm"),
        ("EVA02-E", break_gate, "gate"),
        ("PE-Core-T", break_queries, "2 latent queries"),
        ("ConvNeXt-L-MLP", break_activation, "Softplus that does not map zero to zero"),
        ("ConvNeXt-L-MLP", break_mlp, "LayerNorm inside the MLP"),
        ("RelPos", break_block, "RootMeanSquare .norm1"),
        ("BiomedCLIP", break_head, "both before and after pooling"),
    ],
)
def test_a_changed_part_is_named(
    name: str,
    change: Callable[[Any], None],
    message: str,
    image_tower: Callable[..., Any],
) -> None:
    visual = copy.deepcopy(image_tower(name))
    change(visual)
    with pytest.raises(UnsupportedModelError, match=message):
        adapt(visual)


def test_every_architecture_of_open_clip_is_supported() -> None:
    """Of image towers that differ in depth alone, one is built, without memory."""
    towers, refused = {}, {}
    for name in open_clip.list_models():
        config = open_clip.get_model_config(name)
        if "vision_cfg" not in config:  # of sound
            continue
        vision = dict(config["vision_cfg"])
        if isinstance(vision.get("layers"), int):
            vision["layers"] = 1
        towers.setdefault(json.dumps([config["embed_dim"], vision], sort_keys=True), name)
    for key, name in towers.items():
        d_embed, vision = json.loads(key)
        try:
            refuse_unsupported({"embed_dim": d_embed, "vision_cfg": vision}, origin=name)
        except UnsupportedModelError as error:
            refused[name] = str(error)
    assert refused == {}
    assert len(towers) > 90


def test_the_page_that_errors_name_tells_of_every_family() -> None:
    page = (ROOT / "docs" / "families.md").read_text(encoding="utf-8")
    found = {path.stem for path in Path(families.__path__[0]).glob("[!_]*.py")}
    assert found == {name for name in found if f"| `{name}` |" in page}
