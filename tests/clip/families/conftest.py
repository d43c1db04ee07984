"""Image towers of real open_clip architectures, cut in depth and input size, weights at random."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import open_clip
import pytest
import timm
import torch
from open_clip.model import _build_vision_tower
from timm.layers import Mlp
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from napari_clip_heatmap.clip.sources.conch import ConchVisionTower

SIZE = (96, 64)
"""Pixels of the cut towers' input: not square, 6 by 4 patches of 16."""

ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "CLIPA": (
        "ViT-L-14-CLIPA",
        {"layers": 2, "image_size": (56, 28), "width": 128, "head_width": 32},
    ),
    "BiomedCLIP": (
        "MobileCLIP-B",
        {"timm_model_name": "vit_base_patch16_224", "timm_pool": "", "timm_proj": "linear"},
    ),
    "MobileCLIP-B": ("MobileCLIP-B", {}),
    "ViTamin-S": ("ViTamin-S", {}),
    "vit_medium_gap": ("vit_medium_patch16_gap_256", {}),
    "EVA01-g": ("EVA01-g-14", {}),
    "EVA02-B": ("EVA02-B-16", {}),
    "EVA02-E": ("EVA02-E-14", {}),
    "SigLIP-B": ("ViT-B-16-SigLIP", {}),
    "SigLIP2-gopt": ("ViT-gopt-16-SigLIP2-256", {}),
    "PE-Core-T": ("PE-Core-T-16-384", {}),
    "CoCa": ("coca_ViT-B-32", {"layers": 2, "image_size": (96, 64), "width": 128}),
    "RN50": ("RN50", {"layers": [1, 1, 1, 1], "image_size": 96, "width": 16}),
    "ConvNeXt-T": ("convnext_tiny", {}),
    "ConvNeXt-L-MLP": ("convnext_large_d", {}),
    "MobileCLIP2-S0": ("MobileCLIP2-S0", {"image_size": SIZE}),
    "MobileCLIP2-S3": ("MobileCLIP2-S3", {"image_size": (192, 128)}),
    "Swin-B": ("swin_base_patch4_window7_224", {}),
    "RelPos": ("vit_relpos_medium_patch16_cls_224", {}),
    "RelPos, norms after": (
        "vit_relpos_medium_patch16_cls_224",
        {"timm_model_name": "vit_relpos_medium_patch16_rpn_224"},
    ),
    "RelPos, shared": (
        "vit_relpos_medium_patch16_cls_224",
        {"timm_model_name": "vit_srelpos_small_patch16_224"},
    ),
    "TIPSv2-B": (
        "MobileCLIP-B",
        {
            "timm_model_name": "vit_base_patch14_reg1_tipsv2",
            "timm_pool": "token",
            "timm_proj": "none",
        },
    ),
    "SigLIP2-NaFlex": (
        "ViT-B-16-SigLIP2",
        {"timm_model_name": "naflexvit_base_patch16_siglip", "image_size": SIZE},
    ),
}
"""Name in the tests: architecture of open_clip, and what is changed of its vision configuration."""


NARROW: dict[str, dict[str, Any]] = {
    "EVA01-g-14": {"embed_dim": 176, "num_heads": 4},
    "EVA02-E-14": {"embed_dim": 224, "num_heads": 4},
    "EVA02-B-16": {"embed_dim": 192, "num_heads": 3},
    "ViT-gopt-16-SigLIP2-256": {"embed_dim": 192, "num_heads": 4},
    "ViT-B-16-SigLIP": {"embed_dim": 192, "num_heads": 3},
    "convnext_tiny": {"dims": (24, 48, 96, 192)},
    "convnext_large_d": {"dims": (24, 48, 96, 192)},
    "MobileCLIP2-S3": {"embed_dims": (24, 48, 96, 96, 192)},
    "swin_base_patch4_window7_224": {
        "embed_dim": 24,
        "depths": (2, 2, 2, 2),
        "num_heads": (1, 2, 4, 8),
    },
}
"""Widths of the trunks that are cut in width, too."""


def build(arch: str, changed: dict[str, Any], n_blocks: int = 2) -> Any:
    """Return an image tower cut to a few blocks before it takes memory."""
    config = copy.deepcopy(open_clip.get_model_config(arch))
    quick = config.get("quick_gelu", False)
    with torch.device("meta"):
        visual = _build_vision_tower(
            config["embed_dim"], {**config["vision_cfg"], **changed}, quick
        )
        if arch in NARROW:
            _narrow(visual, config["vision_cfg"], NARROW[arch])
        trunk = getattr(visual, "trunk", None)
        if hasattr(trunk, "blocks"):
            trunk.blocks = trunk.blocks[:n_blocks]
        for stage in getattr(trunk, "stages", []):
            stage.blocks = stage.blocks[:1]
    visual = visual.to_empty(device="cpu").eval()
    fill(visual)
    if hasattr(trunk, "set_input_size") and not hasattr(trunk, "layers"):  # Swin keeps its windows
        patch = trunk.patch_embed.patch_size[0]
        visual.set_input_size(SIZE if patch != 14 else (56, 28))
    return visual


def _narrow(visual: Any, vision: dict[str, Any], widths: dict[str, Any]) -> None:
    """Put a narrower trunk of the same architecture in the place of the trunk."""
    d_embed = visual.trunk.num_classes
    visual.trunk = timm.create_model(
        vision["timm_model_name"],
        num_classes=d_embed,
        global_pool=vision["timm_pool"] or "avg",
        **widths,
    )
    if hasattr(visual.head, "proj"):
        visual.head.proj = nn.Linear(visual.trunk.num_features, 64, bias=False)
    if hasattr(visual.head, "mlp"):
        visual.head.mlp = Mlp(visual.trunk.num_features, 128, 64)


def fill(visual: nn.Module) -> None:
    """Give every weight and statistic a random value that keeps activations of order one."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, value in visual.named_parameters():
            scale = value[0].numel() ** -0.5 if value.ndim > 1 else 0.3
            value.normal_(std=scale, generator=generator)
            if value.ndim == 1 and name.endswith(("weight", "gamma")):
                value += 1
        for name, value in visual.named_buffers():
            if name.endswith("running_var"):
                value.uniform_(0.5, 2, generator=generator)
            elif name.endswith("running_mean"):
                value.normal_(generator=generator)
    for module in visual.modules():  # what is computed at the start and in no checkpoint
        if hasattr(module, "init_non_persistent_buffers"):
            module.init_non_persistent_buffers()


def build_conch() -> Any:
    """Return an image tower of CONCH, which is none of open_clip's architectures."""
    trunk = VisionTransformer(SIZE, 16, embed_dim=192, depth=2, num_heads=3, num_classes=0)
    visual = ConchVisionTower(trunk, 64).eval()
    fill(visual)
    return visual


@cache
def _built(name: str, dtype: torch.dtype = torch.float32) -> Any:
    if dtype == torch.float32:
        return build_conch() if name == "CONCH" else build(*ARCHITECTURES[name])
    return copy.deepcopy(_built(name)).to(dtype)


@pytest.fixture(scope="session")
def image_tower() -> Callable[..., Any]:
    """Return an image tower by its name in the tests and its type, not to be changed."""
    return _built


@pytest.fixture(scope="session")
def images_for() -> Callable[..., Tensor]:
    """Make preprocessed images for an adapted tower."""

    def make(tower: Any, n: int = 2) -> Tensor:
        noise = torch.randn(n, 3, *tower.image_size, generator=torch.Generator().manual_seed(2))
        return noise.to(tower.blocks[0].out_weight)

    return make
