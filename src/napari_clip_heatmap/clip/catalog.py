"""The models there are: open_clip's list as far as it can be decomposed, and a few of the hub."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import open_clip
import torch
from open_clip.pretrained import list_pretrained

from napari_clip_heatmap.clip.provenance import BSD, HUB_MODELS, Provenance, provenance
from napari_clip_heatmap.clip.sources.build import build_model, refuse_unsupported
from napari_clip_heatmap.clip.sources.open_clip_registry import tag_is_here
from napari_clip_heatmap.clip.sources.resolve import DEMO, hub_folder
from napari_clip_heatmap.errors import ModelLoadError, UnsupportedModelError

__all__ = [
    "TABLE_NAME",
    "Architecture",
    "CatalogEntry",
    "architecture_of",
    "format_table",
    "list_catalog",
    "read_architecture",
]


BYTES_PER_WEIGHT = 4

_QUICK = "-quickgelu"
"""Ends a second name of architectures whose tags name the activation themselves."""


@dataclass(frozen=True)
class CatalogEntry:
    """A model that can be loaded by its name.

    Parameters
    ----------
    name : str
        As `load_model` takes it.
    family : str
        Of the image tower.
    image_size, patch_size : (int, int)
        Height and width, pixels of the image that the model sees.
    parameters : int or None
        Weights of both towers; None where unknown.
    data : str
        What it was trained on.
    licence : str
    forbids : str
        What the licence forbids; empty where nothing.
    note : str
        What is worth knowing beside: of biomedical models, what they know; may be empty.
    needs : str
        A package to install beside this one, mostly empty.
    here : bool
        Whether its files are on this machine.
    """

    name: str
    family: str
    image_size: tuple[int, int]
    patch_size: tuple[int, int]
    parameters: int | None
    data: str
    licence: str
    forbids: str
    note: str
    needs: str
    here: bool

    @property
    def download_bytes(self) -> int | None:
        """About how much there is to download, in single precision; None where unknown."""
        if self.name == DEMO:
            return 0
        return None if self.parameters is None else BYTES_PER_WEIGHT * self.parameters

    @property
    def grid(self) -> tuple[int, int]:
        """Patches along height and width of one image."""
        (height, width), (patch_y, patch_x) = self.image_size, self.patch_size
        return height // patch_y, width // patch_x

    def matches(self, search: str) -> bool:
        """Whether every word of a search is somewhere in the entry, whatever its case."""
        text = " ".join(
            (self.name, self.family, self.data, self.licence, self.forbids, self.note)
        ).lower()
        return all(word in text for word in search.lower().split())


def list_catalog(search: str = "") -> tuple[CatalogEntry, ...]:
    """Return the models that can be decomposed: the bundled one, those of the hub, open_clip's.

    Parameters
    ----------
    search : str
        Words that must all be in an entry's name, family, data, licence or note.
    """
    return tuple(entry for entry in _entries() if entry.matches(search))


def _entries() -> Iterator[CatalogEntry]:
    drawn = Provenance("drawn scenes of microscopy", BSD, "Bundled: a first look, no download.")
    found = architecture_of(DEMO)
    if found:
        yield _entry(DEMO, found, drawn, here=True)
    for model in HUB_MODELS:
        found = architecture_of(model.architecture)
        if found:
            here = hub_folder(model.name) is not None
            yield _entry(model.name, found, model.provenance, here=here)
    built = {arch for arch in open_clip.list_models() if not arch.endswith(_QUICK)}
    for arch, tag in list_pretrained():  # an older open_clip has tags of what it cannot build
        found = architecture_of(arch) if arch in built else None
        if found:
            name = f"{arch}/{tag}"
            yield _entry(name, found, provenance(name), here=tag_is_here(name))


def _entry(name: str, architecture: Architecture, known: Provenance, *, here: bool) -> CatalogEntry:
    return CatalogEntry(
        name=name,
        family=architecture.family,
        image_size=architecture.image_size,
        patch_size=architecture.patch_size,
        parameters=architecture.parameters,
        data=known.data,
        licence=known.licence.name,
        forbids=known.licence.forbids,
        note=known.note,
        needs=architecture.needs,
        here=here,
    )


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
    return table[name] if name in table else read_architecture(name)


@cache
def read_architecture(name: str) -> Architecture | None:
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


def format_table(architecture: Architecture | None) -> dict[str, Any] | None:
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
