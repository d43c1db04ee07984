"""A CLIP as the transformers library describes it (PLIP, PubMedCLIP ...): its JSON files.

Architecture, activation, preprocessing and vocabulary are those that the files name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor

from napari_clip_heatmap.errors import ModelLoadError, UnsupportedModelError

__all__ = [
    "HF_CONFIG_NAME",
    "HF_PREPROCESSING_NAME",
    "convert_weights",
    "has_own_vocabulary",
    "has_transformers_names",
    "is_transformers_folder",
    "open_clip_config",
    "preprocess_config",
    "read_json",
]


HF_CONFIG_NAME = "config.json"

HF_PREPROCESSING_NAME = "preprocessor_config.json"

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


def is_transformers_folder(folder: Path) -> bool:
    """Whether a folder has a configuration of the transformers library."""
    return (folder / HF_CONFIG_NAME).is_file()


def read_json(path: Path) -> dict[str, Any]:
    """Return a file's JSON object.

    Raises
    ------
    ModelLoadError
        It cannot be read, or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelLoadError(f"{path} cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise ModelLoadError(f"{path} holds no JSON object; it is no configuration of a model.")
    return content


def open_clip_config(config: Mapping[str, Any], *, origin: str) -> dict[str, Any]:
    """Return open_clip's configuration of the model that a transformers configuration describes.

    Raises
    ------
    UnsupportedModelError
        It is no CLIP, or one that open_clip cannot build.
    ModelLoadError
        Its entries make no sense.
    """
    if config.get("model_type") != "clip":
        raise UnsupportedModelError(
            f"{origin} describes a model of type {config.get('model_type')!r}. Of the transformers "
            "library's folders, those of type 'clip' are read; others need open_clip's format."
        )
    text = _part(config, "text_config", _TEXT_DEFAULTS, origin)
    vision = _part(config, "vision_config", _VISION_DEFAULTS, origin)
    _refuse_other_parts(text, vision, origin)
    return {
        "embed_dim": _size(config.get("projection_dim", 512), origin),
        "quick_gelu": _QUICK_GELU[vision["hidden_act"]],
        "vision_cfg": {
            "image_size": vision["image_size"],
            "patch_size": vision["patch_size"],
            "layers": vision["num_hidden_layers"],
            "width": vision["hidden_size"],
            "head_width": vision["hidden_size"] // vision["num_attention_heads"],
            "mlp_ratio": vision["intermediate_size"] / vision["hidden_size"],
        },
        "text_cfg": {
            "context_length": text["max_position_embeddings"],
            "vocab_size": text["vocab_size"],
            "width": text["hidden_size"],
            "heads": text["num_attention_heads"],
            "layers": text["num_hidden_layers"],
            "mlp_ratio": text["intermediate_size"] / text["hidden_size"],
        },
    }


def preprocess_config(folder: Path) -> dict[str, Any]:
    """Return mean and std as ``preprocessor_config.json`` gives them; empty where there is none.

    Raises
    ------
    UnsupportedModelError
        Pixels are scaled to something else than 0..1 first.
    """
    path = folder / HF_PREPROCESSING_NAME
    if not path.is_file():
        return {}
    config = read_json(path)
    factor = config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1
    if not isinstance(factor, (int, float)) or abs(factor * 255 - 1) > 1e-3:
        raise UnsupportedModelError(
            f"{path} scales pixels by {factor} rather than to 0..1, which is not supported."
        )
    if not config.get("do_normalize", True):
        return {"mean": [0.0] * 3, "std": [1.0] * 3}
    return {"mean": config.get("image_mean"), "std": config.get("image_std")}


def has_own_vocabulary(folder: Path) -> bool:
    """Whether the tokenizer beside the weights is another one than CLIP's own."""
    vocabulary = _vocabulary(folder)
    words = list(SimpleTokenizer().encoder)[:-2]  # without start and end, whose spelling varies
    return bool(vocabulary) and any(
        vocabulary.get(word) != number for number, word in enumerate(words)
    )


def _vocabulary(folder: Path) -> Mapping[str, int]:
    if (folder / "vocab.json").is_file():
        return read_json(folder / "vocab.json")
    if (folder / "tokenizer.json").is_file():
        vocabulary = read_json(folder / "tokenizer.json").get("model", {}).get("vocab")
        return vocabulary if isinstance(vocabulary, dict) else {"": 0}
    return {}


def _part(
    config: Mapping[str, Any], name: str, defaults: Mapping[str, Any], origin: str
) -> dict[str, Any]:
    """Return one tower's settings; the older ``..._dict`` entry wins, as transformers has it."""
    older = config.get(f"{name}_dict")
    told = older if older is not None else config.get(name) or {}
    if not isinstance(told, dict):
        raise ModelLoadError(f"{origin} does not describe a CLIP: its {name!r} is {told!r}.")
    part = {**defaults, **told}
    sizes = {key: _size(part[key], origin) for key, each in defaults.items() if type(each) is int}
    return {**part, **sizes}


def _size(value: object, origin: str) -> int:
    if not isinstance(value, int) or value < 1:
        raise ModelLoadError(f"{origin} does not describe a CLIP: one of its sizes is {value!r}.")
    return value


def _refuse_other_parts(text: Mapping[str, Any], vision: Mapping[str, Any], origin: str) -> None:
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
    if odd:
        raise UnsupportedModelError(f"{origin} has {', '.join(odd)}, which open_clip cannot build.")


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

_TRANSPOSED = ("text_projection.weight", "visual_projection.weight")

_BLOCK = re.compile(r"(text|vision)_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")


def has_transformers_names(weights: Mapping[str, Tensor]) -> bool:
    """Whether tensors bear the names that the transformers library gives them."""
    return "visual_projection.weight" in weights


def convert_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a transformers CLIP under open_clip's names.

    Queries, keys and values are stacked, [3 * d_model, d_model], and the two last projections
    transposed. A name that a CLIP does not have is kept, for the model to refuse.

    Raises
    ------
    ModelLoadError
        A projection of queries, keys or values is missing, or has another shape.
    """
    converted: dict[str, Tensor] = {}
    stacks: dict[str, dict[str, Tensor]] = {}
    for name, tensor in weights.items():
        if name.endswith("embeddings.position_ids"):  # 0, 1, 2 ...
            continue
        block = _BLOCK.fullmatch(name)
        if block is None:
            converted[_renamed(name)] = tensor.T if name in _TRANSPOSED else tensor
            continue
        tower, number, part, kind = block.groups()
        home = f"{'visual.' if tower == 'vision' else ''}transformer.resblocks.{number}"
        if part in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"):
            stacks.setdefault(f"{home}.attn.in_proj_{kind}", {})[part[-6]] = tensor
        else:
            converted[f"{home}.{_IN_BLOCK.get(part, part)}.{kind}"] = tensor
    for name, parts in stacks.items():
        if parts.keys() != set("qkv") or len({part.shape for part in parts.values()}) > 1:
            raise ModelLoadError(f"Queries, keys and values for '{name}' are not all there.")
        converted[name] = torch.cat([parts[each] for each in "qkv"])
    return converted


def _renamed(name: str) -> str:
    module, _, kind = name.rpartition(".")
    if module in _MODULES:
        return f"{_MODULES[module]}.{kind}"
    return _NAMES.get(name, name)
