"""The names of a transformers CLIP turned into open_clip's."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from napari_clip_heatmap.errors import ModelLoadError

__all__ = ["convert_weights", "has_foreign_names"]

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


def has_foreign_names(weights: Mapping[str, Tensor]) -> bool:
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
