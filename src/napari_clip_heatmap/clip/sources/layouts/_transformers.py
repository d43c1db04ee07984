"""What all layouts of the transformers library have in common: towers of numbered layers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from napari_clip_heatmap.errors import ModelLoadError, UnsupportedModelError, shorten

__all__ = ["BlockNames", "convert_blocks", "mlp_ratio", "raise_if_odd", "read_part", "read_size"]

_BLOCK = re.compile(r"(text|vision)_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")


@dataclass(frozen=True)
class BlockNames:
    """What a tower's blocks are called in open_clip.

    Parameters
    ----------
    home : str
        What stands before a block's number.
    joint : str
        Name of the stacked projections of queries, keys and values; ends with "weight" or "bias".
    parts : mapping of str to str
        The transformers library's name of a module to open_clip's.
    """

    home: str
    joint: str
    parts: Mapping[str, str]


def convert_blocks(
    weights: Mapping[str, Tensor], towers: Mapping[str, BlockNames]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the tensors of all blocks under open_clip's names, and those of no block as they are.

    Queries, keys and values are stacked, [3 * d_model, d_model].

    Parameters
    ----------
    weights : mapping of str to Tensor
    towers : mapping of str to BlockNames
        Of "text" and "vision".

    Raises
    ------
    ModelLoadError
        A projection of queries, keys or values is missing, or has another shape.
    """
    converted: dict[str, Tensor] = {}
    rest: dict[str, Tensor] = {}
    stacks: dict[str, dict[str, Tensor]] = {}
    for name, tensor in weights.items():
        block = _BLOCK.fullmatch(name)
        if block is None:
            if not name.endswith("embeddings.position_ids"):  # 0, 1, 2 ...
                rest[name] = tensor
            continue
        tower, number, part, kind = block.groups()
        names = towers[tower]
        if part in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"):
            stack = f"{names.home}.{number}.{names.joint}{kind}"
            stacks.setdefault(stack, {})[part[-6]] = tensor
        else:
            converted[f"{names.home}.{number}.{names.parts.get(part, part)}.{kind}"] = tensor
    for name, parts in stacks.items():
        if parts.keys() != set("qkv") or len({part.shape for part in parts.values()}) > 1:
            raise ModelLoadError(f"Queries, keys and values for '{name}' are not all there.")
        converted[name] = torch.cat([parts[each] for each in "qkv"])
    return converted, rest


def read_part(
    config: Mapping[str, Any], name: str, defaults: Mapping[str, Any], origin: str
) -> dict[str, Any]:
    """Return one tower's settings; the older ``..._dict`` entry wins, as transformers has it.

    Raises
    ------
    ModelLoadError
        They are no settings, or a size is no positive number.
    """
    older = config.get(f"{name}_dict")
    given = older if older is not None else config.get(name) or {}
    if not isinstance(given, dict):
        raise ModelLoadError(
            f"{shorten(origin)} does not describe a CLIP model: its {name!r} is "
            f"{shorten(repr(given))}."
        )
    part = {**defaults, **given}
    sizes = {
        key: read_size(part[key], f"{name}.{key}", origin)
        for key, each in defaults.items()
        if type(each) is int
    }
    width, heads = sizes.get("hidden_size", 1), sizes.get("num_attention_heads", 1)
    if width % heads:
        raise ModelLoadError(
            f"{shorten(origin)} does not describe a CLIP model: in its {name!r}, {shorten(heads)} "
            f"attention heads do not divide the hidden size {shorten(width)}."
        )
    return {**part, **sizes}


def read_size(value: object, name: str, origin: str) -> int:
    """Return a size.

    Raises
    ------
    ModelLoadError
        It is no positive whole number.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ModelLoadError(
            f"{shorten(origin)} does not describe a CLIP model: its {name!r} is "
            f"{shorten(repr(value))}; accepted is a whole number of 1 or more."
        )
    return value


def mlp_ratio(part: Mapping[str, Any]) -> float:
    """Return width of the MLP over that of the stream: times the latter, rounded down, exact."""
    ratio: float = (part["intermediate_size"] + 0.5) / part["hidden_size"]
    return ratio


def raise_if_odd(odd: list[str], origin: str) -> None:
    """Raise if a configuration has anything that open_clip cannot build.

    Raises
    ------
    UnsupportedModelError
        With all of it.
    """
    if odd:
        raise UnsupportedModelError(
            f"{shorten(origin)} has {shorten(', '.join(odd), 250)}, which open_clip cannot build."
        )
