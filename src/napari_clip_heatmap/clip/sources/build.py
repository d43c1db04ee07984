"""Build an open_clip model from a configuration and weights, alike in every open_clip version."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import open_clip
import timm
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
from napari_clip_heatmap.clip.sources.layouts import convert_weights
from napari_clip_heatmap.clip.sources.limits import require_config_limits
from napari_clip_heatmap.clip.torch_import import compiler_left_out
from napari_clip_heatmap.clip.weights import require_finite
from napari_clip_heatmap.core.tower import Tower
from napari_clip_heatmap.errors import ModelLoadError, shorten

__all__ = [
    "OPENAI_EXTRAS",
    "SMALLEST_TOWER",
    "build_from_parts",
    "build_image_tower",
    "build_model",
    "infer_config",
    "is_openai",
    "matching_architectures",
    "raise_if_misfit",
    "refuse_unsupported",
    "without_memory",
]


BUILD_ERRORS = (
    *(TypeError, LookupError, ValueError, ArithmeticError),
    *(RuntimeError, AssertionError, AttributeError),
)
"""Errors of open_clip and timm for a configuration that they cannot build."""

OPENAI_EXTRAS = ("input_resolution", "context_length", "vocab_size")
"""Numbers that only OpenAI's archives store among the weights."""

HEAD_WIDTH = 64
"""Width of a head in all towers released by OpenAI, and open_clip's default."""


def is_openai(weights: Mapping[str, Tensor]) -> bool:
    """Return whether these weights come from an archive released by OpenAI."""
    return all(name in weights for name in OPENAI_EXTRAS)


def infer_config(weights: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Return open_clip's configuration of a native CLIP with these weights; None for other models.

    Shapes do not determine the width of a head, which is assumed to be 64, nor the activation,
    which is left at open_clip's default.
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
    except (KeyError, IndexError, ValueError):  # a part is missing or has another shape
        return None


def matching_architectures(config: Mapping[str, Any]) -> list[str]:
    """Return the architectures in open_clip's list with the same shapes as a configuration."""
    expected = _shape(config)
    found = []
    for name in open_clip.list_models():
        known = open_clip.get_model_config(name)
        if known is not None and _shape(known) == expected:
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


def _count(weights: Mapping[str, Tensor], prefix: str, position: int) -> int:
    """Return the number of different blocks, whose number is at a position of the dotted name."""
    return len({name.split(".")[position] for name in weights if name.startswith(prefix)})


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
"""Entries of checkpoints that are not weights."""

_RENAMED = {"proj": "hf_proj_type", "pooler_type": "hf_pooler_type"}
"""Settings of transformers' text towers, in configurations from before open_clip 2.23."""


def build_model(model_cfg: Mapping[str, Any], *, origin: str) -> nn.Module:
    """Return a model with that configuration and random weights; nothing is downloaded.

    Raises
    ------
    ModelLoadError
        The configuration has impossible values, or this open_clip cannot build it.
    """
    require_config_limits(model_cfg, origin=origin)
    cfg = _without_downloads(model_cfg)
    custom = cfg.pop("custom_text", False) or "hf_model_name" in cfg.get("text_cfg", {})
    kind = CLIP if not custom else CoCa if "multimodal_cfg" in cfg else CustomTextCLIP
    try:
        if _TRUNK_OPTIONS not in cfg["vision_cfg"]:
            model: nn.Module = kind(**cfg)
        else:  # an image tower that this open_clip builds with the trunk's defaults only
            visual = _build_visual(cfg)
            model = kind(**{**cfg, "vision_cfg": SMALLEST_TOWER})
            model.visual = visual
    except BUILD_ERRORS as error:
        raise ModelLoadError(
            f"{shorten(origin)} does not describe a model that this open_clip can build: "
            f"{shorten(repr(error), 250)}."
        ) from error
    except OSError as error:
        name = cfg["text_cfg"].get("hf_model_name")
        raise ModelLoadError(
            f"The text tower of {shorten(origin)} is {shorten(repr(name))} of the transformers "
            f"library, but its config.json is not on this machine: {shorten(error, 200)}. "
            "`clip-heatmap download` fetches it with the model."
        ) from error
    return model


@contextmanager
def without_memory() -> Iterator[None]:
    """Build modules in this block with shapes alone, which takes no memory for weights.

    PyTorch asks its compiler for what computes with shapes alone, such as a random start.
    """
    with compiler_left_out(), torch.device("meta"):
        yield


def refuse_unsupported(model_cfg: Mapping[str, Any], *, origin: str) -> Tower:
    """Return the image tower, without memory for weights; raise if it cannot be decomposed.

    Raises
    ------
    UnsupportedModelError
        With the part that cannot be decomposed.
    ModelLoadError
        The configuration has impossible values, or this open_clip cannot build it.
    """
    with without_memory():
        visual = build_image_tower(model_cfg, origin=origin)
    with compiler_left_out():
        return adapt(visual)


def build_image_tower(model_cfg: Mapping[str, Any], *, origin: str) -> nn.Module:
    """Return the image tower alone, with random weights; nothing is downloaded.

    Raises
    ------
    ModelLoadError
        The configuration has impossible values, or this open_clip cannot build it.
    """
    require_config_limits(model_cfg, origin=origin)
    try:
        return _build_visual(_without_downloads(model_cfg))
    except BUILD_ERRORS as error:
        raise ModelLoadError(
            f"{shorten(origin)} does not describe an image tower that this open_clip can build: "
            f"{shorten(repr(error), 250)}."
        ) from error


_TRUNK_OPTIONS = "timm_model_kwargs"
"""Options of a timm trunk, as open_clip's versions after 3.3 name them."""

SMALLEST_TOWER = {"layers": 1, "width": 64, "image_size": 16, "patch_size": 16}
"""``vision_cfg`` of an image tower that is replaced by another."""


def _build_visual(cfg: Mapping[str, Any]) -> nn.Module:
    """Return a configuration's image tower alone, on the device that is the default now."""
    vision, quick_gelu = dict(cfg["vision_cfg"]), cfg.get("quick_gelu", False)
    options = vision.pop(_TRUNK_OPTIONS, None)
    if options is None:
        plain: nn.Module = _build_vision_tower(cfg["embed_dim"], vision, quick_gelu)
        return plain
    if vision.get("timm_proj") != "none":
        raise ValueError(f"{_TRUNK_OPTIONS} needs timm_proj 'none', not {vision.get('timm_proj')}")
    with without_memory():
        visual: Any = _build_vision_tower(cfg["embed_dim"], vision, quick_gelu)
    name, pool = vision["timm_model_name"], vision["timm_pool"]
    visual.trunk = timm.create_model(name, num_classes=0, global_pool=pool, **options)
    wrapped: nn.Module = visual
    return wrapped


def build_from_parts(
    model_cfg: Mapping[str, Any], weights: dict[str, Tensor], *, origin: str, weights_origin: str
) -> nn.Module:
    """Return a model with that configuration and the tensors of a checkpoint, which must all fit.

    Names and shapes are compared before memory is allocated, since a configuration may claim any
    size.

    Raises
    ------
    ModelLoadError
        Names or shapes differ, a tensor holds NaN or infinite values, the configuration has
        impossible values, or this open_clip cannot build it.
    """
    with without_memory():
        skeleton = build_model(model_cfg, origin=origin)
    weights = _renamed(skeleton, weights)
    raise_if_misfit(skeleton, weights, origin=weights_origin)
    require_finite(weights.items(), origin=weights_origin)
    model = build_model(model_cfg, origin=origin)
    model.load_state_dict(weights, strict=True)
    return model.eval()


def _renamed(model: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint with the names and shapes of the model."""
    weights = convert_weights(weights)
    weights = {name: value for name, value in weights.items() if name not in _NO_WEIGHTS}
    weights = convert_state_dict(model, weights)  # from other training code's names
    if not hasattr(model, "positional_embedding") and "positional_embedding" in weights:
        weights = convert_to_custom_text_state_dict(weights)
    expected = model.state_dict()
    if "logit_bias" in expected and "logit_scale" in weights:  # a softmax loss has no bias
        weights.setdefault("logit_bias", torch.zeros_like(weights["logit_scale"]))
    for name in ("logit_scale", "logit_bias"):  # a scalar, or an array of one value
        if name in expected and name in weights and weights[name].numel() == 1:
            weights[name] = weights[name].reshape(expected[name].shape)
    return weights


def raise_if_misfit(model: nn.Module, weights: Mapping[str, Tensor], *, origin: str) -> None:
    """Raise if tensors differ from a model's own in names or shapes.

    Raises
    ------
    ModelLoadError
        With the first few that do.
    """
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    if expected == found:
        return
    mismatches = {
        "missing": sorted(expected.keys() - found.keys()),
        "unknown": sorted(found.keys() - expected.keys()),
        "of another shape": [
            f"{shorten(name, 60)} {found[name]} instead of {shape}"
            for name, shape in expected.items()
            if found.get(name, shape) != shape
        ],
    }
    parts = [
        f"{len(names)} {kind} ({shorten(', '.join(names[:2]), 200)}{' ...' if names[2:] else ''})"
        for kind, names in mismatches.items()
        if names
    ]
    raise ModelLoadError(
        f"The weights in {shorten(origin)} do not fit the model: {shorten('; '.join(parts), 350)}."
    )


def _without_downloads(model_cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy with the names of current open_clip that never downloads pretrained weights."""
    cfg = deepcopy(dict(model_cfg))
    text = cfg.get("text_cfg")
    if isinstance(text, dict) and "hf_model_name" in text:
        cfg["text_cfg"] = {_RENAMED.get(key, key): value for key, value in text.items()}
    for part, switch, key in (
        ("vision_cfg", "timm_model_pretrained", "timm_model_name"),
        ("text_cfg", "hf_model_pretrained", "hf_model_name"),
    ):
        if isinstance(cfg.get(part), dict) and key in cfg[part]:
            cfg[part][switch] = False
    return cfg
