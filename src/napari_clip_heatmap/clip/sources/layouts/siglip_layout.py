"""SigLIP and SigLIP 2, NaFlex too, as the transformers library describes them.

The image tower is a timm transformer whose last tokens a learned query pools by attention.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from napari_clip_heatmap.clip.sources.layouts._transformers import (
    BlockNames,
    convert_blocks,
    mlp_ratio,
    raise_if_odd,
    read_part,
)
from napari_clip_heatmap.errors import ModelLoadError

__all__ = ["MODEL_TYPES", "convert_weights", "has_names", "open_clip_config"]

NAFLEX = "siglip2"
"""Type of the models that take images of any size; SigLIP 2's others are of type "siglip"."""

MODEL_TYPES = ("siglip", NAFLEX)

# What transformers leaves out of config.json because it is the default there.
_TEXT_DEFAULTS = {
    "vocab_size": 32000,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "max_position_embeddings": 64,
    "hidden_act": "gelu_pytorch_tanh",
    "layer_norm_eps": 1e-6,
}

_VISION_DEFAULTS = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "num_channels": 3,
    "patch_size": 16,
    "hidden_act": "gelu_pytorch_tanh",
    "layer_norm_eps": 1e-6,
}

_TIMM_ACTIVATION = {"gelu_pytorch_tanh": "gelu_tanh", "gelu": "gelu"}


def open_clip_config(config: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return open_clip's configuration of the same model."""
    naflex = config["model_type"] == NAFLEX
    own = {"num_patches": 256} if naflex else {"image_size": 224}
    text = read_part(config, "text_config", _TEXT_DEFAULTS, origin)
    vision = read_part(config, "vision_config", _VISION_DEFAULTS | own, origin)
    raise_if_odd(_odd(text, vision, d_embed := vision["hidden_size"]), origin)
    return {
        "embed_dim": d_embed,
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": _naflex(vision, origin) if naflex else _fixed_size(vision),
        "text_cfg": {
            "context_length": text["max_position_embeddings"],
            "vocab_size": text["vocab_size"],
            "hf_tokenizer_name": "google/siglip-base-patch16-224",
            "tokenizer_kwargs": {"clean": "canonicalize"},
            "width": text["hidden_size"],
            "heads": text["num_attention_heads"],
            "layers": text["num_hidden_layers"],
            "mlp_ratio": mlp_ratio(text),
            "no_causal_mask": True,
            "proj_bias": True,
            "pool_type": "last",
            "norm_kwargs": {"eps": text["layer_norm_eps"]},
            "act_kwargs": {"approximate": "tanh" if "tanh" in text["hidden_act"] else "none"},
        },
    }


def _fixed_size(vision: Mapping[str, Any]) -> dict[str, Any]:
    size = vision["image_size"]
    return _tower("vit_base_patch16_siglip_224", vision, size, {"img_size": size})


def _naflex(vision: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return a tower for square images of as many patches as it has positions."""
    side = math.isqrt(vision["num_patches"])
    if side * side != vision["num_patches"]:
        raise ModelLoadError(
            f"{origin} does not describe a SigLIP: its {vision['num_patches']} positions form no "
            "square."
        )
    size = side * vision["patch_size"]
    grid = {"pos_embed_grid_size": [side, side]}
    return _tower("naflexvit_base_patch16_siglip", vision, size, grid)


def _tower(
    name: str, vision: Mapping[str, Any], size: int, options: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "image_size": size,
        "timm_model_name": name,
        "timm_model_pretrained": False,
        "timm_pool": "map",
        "timm_proj": "none",
        "timm_model_kwargs": {
            "patch_size": vision["patch_size"],
            "embed_dim": vision["hidden_size"],
            "depth": vision["num_hidden_layers"],
            "num_heads": vision["num_attention_heads"],
            "mlp_ratio": mlp_ratio(vision),
            "act_layer": _TIMM_ACTIVATION[vision["hidden_act"]],
            **options,
        },
    }


def _odd(text: Mapping[str, Any], vision: Mapping[str, Any], d_embed: int) -> list[str]:
    odd = [
        f"hidden_act {one['hidden_act']!r}"
        for one in (text, vision)
        if one["hidden_act"] not in _TIMM_ACTIVATION
    ]
    if vision["layer_norm_eps"] != _VISION_DEFAULTS["layer_norm_eps"]:
        odd.append(f"layer_norm_eps {vision['layer_norm_eps']!r}")
    if not vision.get("vision_use_head", True):
        odd.append("an image tower without attention pooling (vision_use_head)")
    projected = text.get("projection_size") or text["hidden_size"]
    if projected != d_embed:
        odd.append(f"texts of {projected} dimensions and images of {d_embed}")
    return odd


_NAMES = {
    "text_model.embeddings.token_embedding.weight": "text.token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "text.positional_embedding",
    "vision_model.head.probe": "visual.trunk.attn_pool.latent",
}

_MODULES = {
    "text_model.final_layer_norm": "text.ln_final",
    "text_model.head": "text.text_projection",
    "vision_model.post_layernorm": "visual.trunk.norm",
    "vision_model.head.attention.out_proj": "visual.trunk.attn_pool.proj",
    "vision_model.head.layernorm": "visual.trunk.attn_pool.norm",
    "vision_model.head.mlp.fc1": "visual.trunk.attn_pool.mlp.fc1",
    "vision_model.head.mlp.fc2": "visual.trunk.attn_pool.mlp.fc2",
}

_BLOCKS = {
    "text": BlockNames(
        "text.transformer.resblocks",
        "attn.in_proj_",
        {
            "self_attn.out_proj": "attn.out_proj",
            "layer_norm1": "ln_1",
            "layer_norm2": "ln_2",
            "mlp.fc1": "mlp.c_fc",
            "mlp.fc2": "mlp.c_proj",
        },
    ),
    "vision": BlockNames(
        "visual.trunk.blocks",
        "attn.qkv.",
        {"self_attn.out_proj": "attn.proj", "layer_norm1": "norm1", "layer_norm2": "norm2"},
    ),
}

_PATCHES = "vision_model.embeddings.patch_embedding"
_POSITIONS = "vision_model.embeddings.position_embedding.weight"
_POOLING = "vision_model.head.attention.in_proj_"


def has_names(weights: Mapping[str, Tensor]) -> bool:
    """Whether tensors bear the names that the transformers library gives them."""
    return "vision_model.head.probe" in weights and "text_model.head.weight" in weights


def convert_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors under open_clip's names."""
    converted, rest = convert_blocks(weights, _BLOCKS)
    patches = rest.get(f"{_PATCHES}.weight")
    naflex = patches is not None and patches.ndim == 2  # its patches come cut out
    for name, tensor in rest.items():
        module, _, kind = name.rpartition(".")
        if name.startswith(_POOLING):  # one for the query, and one for keys and values together
            query, *others = tensor.chunk(3)
            kind = name.removeprefix(_POOLING)
            converted[f"visual.trunk.attn_pool.q.{kind}"] = query
            converted[f"visual.trunk.attn_pool.kv.{kind}"] = torch.cat(others)
        elif module == _PATCHES:
            converted[f"visual.trunk.{'embeds' if naflex else 'patch_embed'}.proj.{kind}"] = tensor
        elif name == _POSITIONS:
            converted |= _positions(tensor, naflex)
        elif module in _MODULES:
            converted[f"{_MODULES[module]}.{kind}"] = tensor
        else:
            converted[_NAMES.get(name, name)] = tensor
    return converted


def _positions(positions: Tensor, naflex: bool) -> dict[str, Tensor]:
    """Return the positions, [patch, d_model] before, with the axes that timm gives them."""
    if not naflex:
        return {"visual.trunk.pos_embed": positions[None]}
    side = math.isqrt(len(positions))
    if side * side != len(positions):
        raise ModelLoadError(f"The {len(positions)} positions of '{_POSITIONS}' form no square.")
    grid = rearrange(positions, "(y x) d_model -> 1 y x d_model", y=side)
    return {"visual.trunk.embeds.pos_embed": grid}
