"""Released architectures with random weights: speed and memory do not depend on what they are."""

from __future__ import annotations

import open_clip
import torch
from open_clip.model import _build_vision_tower
from open_clip.transformer import VisionTransformer

__all__ = ["random_tower"]


def random_tower(name: str) -> VisionTransformer:
    """Return the image tower alone of an open_clip architecture."""
    config = open_clip.get_model_config(name)
    with torch.device("meta"):
        visual = _build_vision_tower(
            config["embed_dim"], config["vision_cfg"], config.get("quick_gelu", False)
        )
    visual = visual.to_empty(device="cpu").eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for key, weight in visual.state_dict().items():
            bound = (3 / weight.shape[-1]) ** 0.5 if weight.ndim > 1 else 0.1
            weight.uniform_(-bound, bound, generator=generator)
            if "ln_" in key and key.endswith("weight"):
                weight += 1
    return visual
