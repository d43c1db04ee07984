"""An open_clip model from its configuration and weights, the same in every open_clip version."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import open_clip
import torch
from open_clip.coca_model import CoCa
from open_clip.convert import convert_state_dict
from open_clip.model import (
    CLIP,
    CustomTextCLIP,
    _build_vision_tower,
    convert_to_custom_text_state_dict,
)
from torch import Tensor, nn

from napari_clip_heatmap.clip.families import adapt
from napari_clip_heatmap.clip.sources.transformers_format import (
    convert_weights,
    has_transformers_names,
)
from napari_clip_heatmap.core.tower import Tower
from napari_clip_heatmap.errors import ModelLoadError

__all__ = [
    "OPENAI_EXTRAS",
    "build_from_parts",
    "build_model",
    "infer_config",
    "is_openai",
    "matching_architectures",
    "refuse_unsupported",
]


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


_NO_WEIGHTS = (*OPENAI_EXTRAS, "text.transformer.embeddings.position_ids")
"""What checkpoints hold beside weights."""

_RENAMED = {"proj": "hf_proj_type", "pooler_type": "hf_pooler_type"}
"""Settings of another library's text tower, in configurations written before open_clip 2.23."""


def build_model(model_cfg: Mapping[str, Any], *, origin: str) -> nn.Module:
    """Return a model of that configuration, with random weights; nothing is downloaded.

    Raises
    ------
    ModelLoadError
        The configuration is not one that this open_clip knows.
    """
    cfg = _without_downloads(model_cfg)
    custom = cfg.pop("custom_text", False) or "hf_model_name" in cfg.get("text_cfg", {})
    kind = CLIP if not custom else CoCa if "multimodal_cfg" in cfg else CustomTextCLIP
    try:
        model: nn.Module = kind(**cfg)
    except (TypeError, KeyError, ValueError, RuntimeError, AssertionError, AttributeError) as error:
        raise ModelLoadError(
            f"{origin} does not describe a model that this open_clip can build: {error!r}."
        ) from error
    except OSError as error:
        part = cfg["text_cfg"].get("hf_model_name")
        raise ModelLoadError(
            f"The text tower of {origin} is {part!r} of the transformers library, but its "
            f"config.json is not here: {error} `clip-heatmap download` brings it with the model."
        ) from error
    return model


def refuse_unsupported(model_cfg: Mapping[str, Any], *, origin: str) -> Tower:
    """Return the image tower, without weights; raise if it cannot be decomposed.

    Raises
    ------
    UnsupportedModelError
        With what is missing.
    ModelLoadError
        The configuration is not one that this open_clip knows.
    """
    cfg = _without_downloads(model_cfg)
    try:
        with torch.device("meta"):
            visual = _build_vision_tower(
                cfg["embed_dim"], cfg["vision_cfg"], cfg.get("quick_gelu", False)
            )
    except (TypeError, KeyError, ValueError, RuntimeError, AssertionError, AttributeError) as error:
        raise ModelLoadError(
            f"{origin} does not describe an image tower that this open_clip can build: {error!r}."
        ) from error
    return adapt(visual)


def build_from_parts(
    model_cfg: Mapping[str, Any], weights: dict[str, Tensor], *, origin: str, weights_origin: str
) -> nn.Module:
    """Return a model of that configuration with a checkpoint's tensors, which must all fit.

    Names and shapes are compared before memory is taken: a configuration may claim any size.

    Raises
    ------
    ModelLoadError
        Names or shapes differ, or the configuration is not one that this open_clip knows.
    """
    with torch.device("meta"):
        skeleton = build_model(model_cfg, origin=origin)
    weights = _renamed(skeleton, weights)
    _refuse_misfits(skeleton, weights, origin=weights_origin)
    model = build_model(model_cfg, origin=origin)
    model.load_state_dict(weights, strict=True)
    return model.eval()


def _renamed(model: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a checkpoint's tensors as the model names and shapes them."""
    if has_transformers_names(weights):
        weights = convert_weights(weights)
    weights = {name: value for name, value in weights.items() if name not in _NO_WEIGHTS}
    weights = convert_state_dict(model, weights)  # of training code that names its parts otherwise
    if not hasattr(model, "positional_embedding") and "positional_embedding" in weights:
        weights = convert_to_custom_text_state_dict(weights)
    expected = model.state_dict()
    if "logit_bias" in expected and "logit_scale" in weights:  # a softmax loss trains none
        weights.setdefault("logit_bias", torch.zeros_like(weights["logit_scale"]))
    for name in ("logit_scale", "logit_bias"):  # a number, or one number in a list
        if name in expected and name in weights and weights[name].numel() == 1:
            weights[name] = weights[name].reshape(expected[name].shape)
    return weights


def _refuse_misfits(model: nn.Module, weights: Mapping[str, Tensor], *, origin: str) -> None:
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    if expected == found:
        return
    lists = {
        "missing": sorted(expected.keys() - found.keys()),
        "unknown": sorted(found.keys() - expected.keys()),
        "of another shape": [
            f"{name} {found[name]} instead of {shape}"
            for name, shape in expected.items()
            if found.get(name, shape) != shape
        ],
    }
    told = [
        f"{len(names)} {what} ({', '.join(names[:3])}{' ...' if len(names) > 3 else ''})"
        for what, names in lists.items()
        if names
    ]
    raise ModelLoadError(f"The weights in {origin} do not fit the model: {'; '.join(told)}.")


def _without_downloads(model_cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy that names things as today's open_clip does and asks for no weights."""
    cfg = deepcopy(dict(model_cfg))
    text = cfg.get("text_cfg")
    if isinstance(text, dict) and "hf_model_name" in text:
        cfg["text_cfg"] = {_RENAMED.get(key, key): value for key, value in text.items()}
    for part, switch, named in (
        ("vision_cfg", "timm_model_pretrained", "timm_model_name"),
        ("text_cfg", "hf_model_pretrained", "hf_model_name"),
    ):
        if isinstance(cfg.get(part), dict) and named in cfg[part]:
            cfg[part][switch] = False
    return cfg
