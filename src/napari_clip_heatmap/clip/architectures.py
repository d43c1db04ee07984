"""Which architectures can be decomposed, and how large they are, without building them all.

Building takes half a minute for open_clip's whole list, so what it yields lies in a table that
``docs/make_architectures.py`` writes; an architecture that is not in it is built, without memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import open_clip
import torch

from napari_clip_heatmap.clip.sources.build import build_model, refuse_unsupported
from napari_clip_heatmap.errors import ModelLoadError, UnsupportedModelError

__all__ = ["TABLE_NAME", "Architecture", "architecture_of", "measure", "written"]

TABLE_NAME = "architectures.json"

BIOMEDCLIP: Mapping[str, Any] = {
    "embed_dim": 512,
    "vision_cfg": {
        "timm_model_name": "vit_base_patch16_224",
        "timm_model_pretrained": False,
        "timm_pool": "",
        "timm_proj": "linear",
        "image_size": 224,
    },
    "text_cfg": {"hf_model_name": "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract"},
}
"""The tower of BiomedCLIP and QuiltNet-B-16-PMB, which open_clip's list lacks."""


@dataclass(frozen=True)
class Architecture:
    """An architecture whose image tower can be decomposed.

    Parameters
    ----------
    family : str
    image_size, patch_size : (int, int)
        Height and width, pixels.
    parameters : int or None
        Of both towers; None where the text tower is another library's.
    needs : str
        A package that its text tower or tokenizer needs beside this one's; mostly empty.
    """

    family: str
    image_size: tuple[int, int]
    patch_size: tuple[int, int]
    parameters: int | None
    needs: str


def architecture_of(name: str) -> Architecture | None:
    """Return an architecture of open_clip's list; None if it cannot be decomposed here."""
    table = _table()
    return table[name] if name in table else measure(name)


@cache
def measure(name: str) -> Architecture | None:
    """Build an architecture, without memory for its weights, and return what it is.

    None if it cannot be decomposed here, or not be built by this open_clip.
    """
    config = _config(name)
    if config is None:
        return None
    try:
        tower = refuse_unsupported(config, origin=name)
    except (UnsupportedModelError, ModelLoadError):
        return None
    text_cfg = config.get("text_cfg", {})
    foreign = "hf_model_name" in text_cfg or "hf_tokenizer_name" in text_cfg
    return Architecture(
        family=tower.family,
        image_size=tower.image_size,
        patch_size=tower.patch_size,
        parameters=None if "hf_model_name" in text_cfg else _count(config, name),
        needs="transformers" if foreign else "",
    )


def written(architecture: Architecture | None) -> dict[str, Any] | None:
    """Return an architecture in values that JSON has."""
    return None if architecture is None else asdict(architecture)


def _config(name: str) -> Mapping[str, Any] | None:
    if name == "demo":
        text = (files("napari_clip_heatmap") / "demo" / "open_clip_config.json").read_text("utf-8")
        bundled: dict[str, Any] = json.loads(text)["model_cfg"]
        return bundled
    known: Mapping[str, Any] | None = open_clip.get_model_config(name)
    return BIOMEDCLIP if name == "BiomedCLIP" else known


def _count(config: Mapping[str, Any], name: str) -> int:
    with torch.device("meta"):
        model = build_model(config, origin=name)
    return sum(weight.numel() for weight in model.parameters())


@cache
def _table() -> dict[str, Architecture | None]:
    text = (files("napari_clip_heatmap.clip") / TABLE_NAME).read_text(encoding="utf-8")
    return {name: _read(entry) for name, entry in json.loads(text).items()}


def _read(entry: dict[str, Any] | None) -> Architecture | None:
    if entry is None:
        return None
    (height, width), (patch_y, patch_x) = entry["image_size"], entry["patch_size"]
    sizes = {"image_size": (height, width), "patch_size": (patch_y, patch_x)}
    return Architecture(**{**entry, **sizes})
