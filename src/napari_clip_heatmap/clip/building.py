"""An open_clip model from its configuration and weights, the same in every open_clip version."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

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

from napari_clip_heatmap.clip.conversion import convert_weights, has_foreign_names
from napari_clip_heatmap.clip.families import adapt
from napari_clip_heatmap.clip.inference import OPENAI_EXTRAS
from napari_clip_heatmap.core.tower import Tower
from napari_clip_heatmap.errors import ModelLoadError

__all__ = ["build_model", "fill_model", "refuse_unsupported"]

_NO_WEIGHTS = (*OPENAI_EXTRAS, "text.transformer.embeddings.position_ids")
"""What checkpoints hold beside weights."""


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


def fill_model(model: nn.Module, weights: dict[str, Tensor], *, origin: str) -> None:
    """Put a checkpoint's tensors into a model; all must fit.

    Raises
    ------
    ModelLoadError
        Names or shapes differ.
    """
    if has_foreign_names(weights):
        weights = convert_weights(weights)
    weights = {name: value for name, value in weights.items() if name not in _NO_WEIGHTS}
    weights = convert_state_dict(model, weights)  # of training code that names its parts otherwise
    if not hasattr(model, "positional_embedding") and "positional_embedding" in weights:
        weights = convert_to_custom_text_state_dict(weights)
    expected = model.state_dict()
    if "logit_bias" in expected and "logit_scale" in weights:  # a softmax loss trains none
        weights.setdefault("logit_bias", torch.zeros_like(weights["logit_scale"]))
    for name in ("logit_scale", "logit_bias"):  # a number, or one number in a list
        if name in weights and name in expected:
            weights[name] = weights[name].reshape(expected[name].shape)
    try:
        model.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise ModelLoadError(
            f"The weights in {origin} do not fit the configuration beside them: "
            f"{_brief(str(error))}"
        ) from error


def _without_downloads(model_cfg: Mapping[str, Any]) -> dict[str, Any]:
    cfg = deepcopy(dict(model_cfg))
    for part, switch, named in (
        ("vision_cfg", "timm_model_pretrained", "timm_model_name"),
        ("text_cfg", "hf_model_pretrained", "hf_model_name"),
    ):
        if isinstance(cfg.get(part), dict) and named in cfg[part]:
            cfg[part][switch] = False
    return cfg


def _brief(message: str, limit: int = 400) -> str:
    return message if len(message) <= limit else f"{message[:limit]} ..."
