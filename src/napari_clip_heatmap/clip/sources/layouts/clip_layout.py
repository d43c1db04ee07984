"""CLIP and MetaCLIP 2 as the transformers library describes them (PLIP, PubMedCLIP ...)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from napari_clip_heatmap.clip.sources.layouts._transformers import (
    BlockNames,
    convert_blocks,
    mlp_ratio,
    raise_if_odd,
    read_part,
    read_size,
)

__all__ = ["MODEL_TYPES", "convert_weights", "has_names", "open_clip_config"]

METACLIP_2 = "metaclip_2"

MODEL_TYPES = ("clip", METACLIP_2)

# What transformers leaves out of config.json because it is the default there.
_TEXT_DEFAULTS = {
    "vocab_size": 49408,
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}

_VISION_DEFAULTS = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "num_channels": 3,
    "image_size": 224,
    "patch_size": 32,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}

_QUICK_GELU = {"quick_gelu": True, "gelu": False}


def open_clip_config(config: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return open_clip's configuration of the same model."""
    text = read_part(config, "text_config", _TEXT_DEFAULTS, origin)
    vision = read_part(config, "vision_config", _VISION_DEFAULTS, origin)
    raise_if_odd(_odd(text, vision), origin)
    return {
        "embed_dim": read_size(config.get("projection_dim", 512), "projection_dim", origin),
        "quick_gelu": _QUICK_GELU[vision["hidden_act"]],
        "vision_cfg": {
            "image_size": vision["image_size"],
            "patch_size": vision["patch_size"],
            "layers": vision["num_hidden_layers"],
            "width": vision["hidden_size"],
            "head_width": vision["hidden_size"] // vision["num_attention_heads"],
            "mlp_ratio": mlp_ratio(vision),
        },
        "text_cfg": {
            "context_length": text["max_position_embeddings"],
            "vocab_size": text["vocab_size"],
            "width": text["hidden_size"],
            "heads": text["num_attention_heads"],
            "layers": text["num_hidden_layers"],
            "mlp_ratio": mlp_ratio(text),
            **(_at_end_of_text(text, origin) if config["model_type"] == METACLIP_2 else {}),
        },
    }


def _at_end_of_text(text: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return what MetaCLIP 2 pools: the first end-of-text token, of a vocabulary of its own.

    In CLIP's own vocabulary that token has the highest number, and open_clip looks for that.
    """
    end = read_size(text.get("eos_token_id", 49407), "eos_token_id", origin)
    return {"pool_type": "eos", "eos_id": end, "hf_tokenizer_name": "facebook/xlm-v-base"}


def _odd(text: Mapping[str, Any], vision: Mapping[str, Any]) -> list[str]:
    odd = [
        f"{key} {one[key]!r}"
        for one in (text, vision)
        for key, fits in (
            ("hidden_act", one["hidden_act"] in _QUICK_GELU),
            ("layer_norm_eps", one["layer_norm_eps"] == _TEXT_DEFAULTS["layer_norm_eps"]),
        )
        if not fits
    ]
    if text["hidden_act"] != vision["hidden_act"]:
        odd.append("different activations of the two towers")
    return odd


_NAMES = {
    "logit_scale": "logit_scale",
    "text_projection.weight": "text_projection",
    "visual_projection.weight": "visual.proj",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
}

_MODULES = {
    "text_model.final_layer_norm": "ln_final",
    "vision_model.pre_layrnorm": "visual.ln_pre",  # sic
    "vision_model.post_layernorm": "visual.ln_post",
}

_IN_BLOCK = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}

_BLOCKS = {
    "text": BlockNames("transformer.resblocks", "attn.in_proj_", _IN_BLOCK),
    "vision": BlockNames("visual.transformer.resblocks", "attn.in_proj_", _IN_BLOCK),
}

_TRANSPOSED = ("text_projection.weight", "visual_projection.weight")


def has_names(weights: Mapping[str, Tensor]) -> bool:
    """Whether tensors bear the names that the transformers library gives them."""
    return "visual_projection.weight" in weights


def convert_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors under open_clip's names; the two last projections are transposed."""
    converted, rest = convert_blocks(weights, _BLOCKS)
    for name, tensor in rest.items():
        converted[_renamed(name)] = tensor.T if name in _TRANSPOSED else tensor
    return converted


def _renamed(name: str) -> str:
    module, _, kind = name.rpartition(".")
    if module in _MODULES:
        return f"{_MODULES[module]}.{kind}"
    return _NAMES.get(name, name)
