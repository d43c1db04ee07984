"""What a bare state dict tells of its model: all shapes, but neither activation nor pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import open_clip
from torch import Tensor

__all__ = ["OPENAI_EXTRAS", "infer_config", "is_openai", "matching_architectures"]

OPENAI_EXTRAS = ("input_resolution", "context_length", "vocab_size")
"""Numbers that OpenAI's archives keep among the weights, and no other checkpoint does."""

HEAD_WIDTH = 64
"""Of every tower that OpenAI released, and open_clip's default."""


def is_openai(weights: Mapping[str, Tensor]) -> bool:
    """Whether these are the contents of an archive that OpenAI released."""
    return all(name in weights for name in OPENAI_EXTRAS)


def infer_config(weights: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Return open_clip's configuration of a native CLIP with these weights, None for any other.

    The width of heads is taken to be 64, and the activation is left at open_clip's default: shapes
    do not tell them.
    """
    try:
        return {
            "embed_dim": int(weights["text_projection"].shape[1]),
            "vision_cfg": _vision(weights),
            "text_cfg": {
                "context_length": int(weights["positional_embedding"].shape[0]),
                "vocab_size": int(weights["token_embedding.weight"].shape[0]),
                "width": int(weights["ln_final.weight"].shape[0]),
                "heads": int(weights["ln_final.weight"].shape[0]) // HEAD_WIDTH,
                "layers": _count(weights, "transformer.resblocks.", 2),
            },
        }
    except (KeyError, IndexError, ValueError):  # a part is missing, or has other dimensions
        return None


def matching_architectures(config: Mapping[str, Any]) -> list[str]:
    """Return the architectures of open_clip's list that have all shapes of a configuration."""
    wanted = _shape(config)
    found = []
    for name in open_clip.list_models():
        known = open_clip.get_model_config(name)
        if known is not None and _shape(known) == wanted:
            found.append(name)
    return found


def _vision(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    if "visual.layer1.0.conv1.weight" in weights:
        grid = math.isqrt(int(weights["visual.attnpool.positional_embedding"].shape[0]) - 1)
        return {
            "image_size": 32 * grid,
            "layers": [_count(weights, f"visual.layer{stage}.", 2) for stage in (1, 2, 3, 4)],
            "width": int(weights["visual.layer1.0.conv1.weight"].shape[0]),
            "patch_size": None,
        }
    width, _, _, patch = weights["visual.conv1.weight"].shape
    grid = math.isqrt(int(weights["visual.positional_embedding"].shape[0]) - 1)
    return {
        "image_size": int(patch) * grid,
        "layers": _count(weights, "visual.transformer.resblocks.", 3),
        "width": int(width),
        "patch_size": int(patch),
    }


def _count(weights: Mapping[str, Tensor], prefix: str, place: int) -> int:
    """Return how many numbered blocks there are below a name."""
    return len({name.split(".")[place] for name in weights if name.startswith(prefix)})


def _shape(config: Mapping[str, Any]) -> tuple[Any, ...]:
    vision, text = config.get("vision_cfg", {}), config.get("text_cfg", {})
    return (
        config.get("embed_dim"),
        *(vision.get(key) for key in ("image_size", "layers", "width", "patch_size")),
        *(text.get(key) for key in ("context_length", "vocab_size", "width", "layers")),
        vision.get("timm_model_name"),
        text.get("hf_model_name"),
    )
