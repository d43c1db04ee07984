"""Released architectures with random weights: speed and memory do not depend on what they are."""

from __future__ import annotations

from typing import Any

import open_clip
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from napari_clip_heatmap.clip.sources.build import build_image_tower, without_memory
from napari_clip_heatmap.clip.sources.conch import ConchVisionTower

__all__ = ["CONCH", "blocks_of", "random_tower", "tower_of"]


CONCH = "CONCH"


def random_tower(name: str, n_layers: int | None = None) -> Any:
    """Return the image tower alone of an open_clip architecture, or of CONCH.

    Parameters
    ----------
    name : str
    n_layers : int, optional
        Keep only so many blocks of a transformer, where the whole takes too much memory.
    """
    if name == CONCH:
        with torch.device("meta"):
            visual: Any = _conch()
        return _filled(visual)
    return tower_of(open_clip.get_model_config(name), n_layers)


def tower_of(config: Any, n_layers: int | None = None, *, filled: bool = True) -> Any:
    """Return the image tower alone of a configuration of open_clip's.

    Parameters
    ----------
    config : mapping
    n_layers : int, optional
        As in `random_tower`, of any transformer.
    filled : bool
        Whether it has weights; without them it takes no memory.
    """
    with without_memory():
        visual: Any = build_image_tower(config, origin="the configuration")
    blocks = blocks_of(visual)
    if n_layers is not None and blocks is not None:
        home, part = blocks
        setattr(home, part, getattr(home, part)[:n_layers])
    return _filled(visual) if filled else visual


def blocks_of(visual: Any) -> tuple[Any, str] | None:
    """Return the module that has a transformer's blocks, and their name; None for other towers."""
    if hasattr(getattr(visual, "transformer", None), "resblocks"):
        return visual.transformer, "resblocks"
    trunk = getattr(visual, "trunk", None)
    return (trunk, "blocks") if hasattr(trunk, "blocks") else None


def _conch() -> ConchVisionTower:
    return ConchVisionTower(VisionTransformer(448, 16, embed_dim=768, num_classes=0), 512)


def _filled(visual: Any) -> Any:
    visual = visual.to_empty(device="cpu").eval()
    _fill(visual)
    return visual


@torch.no_grad()
def _fill(visual: nn.Module) -> None:
    generator = torch.Generator().manual_seed(0)
    for key, weight in visual.state_dict().items():
        if not weight.is_floating_point():
            weight.zero_()
            continue
        fan = weight[0].numel() if weight.ndim > 1 else 300
        bound = (3 / fan) ** 0.5
        weight.uniform_(-bound, bound, generator=generator)
        if weight.ndim == 1 and key.endswith(("weight", "gamma", "gamma_1", "gamma_2", "var")):
            weight += 1
    for module in visual.modules():  # what is in no checkpoint, such as rotary positions
        if hasattr(module, "init_non_persistent_buffers"):
            module.init_non_persistent_buffers()
