"""The available models: those in open_clip's list that can be decomposed, and some of the hub."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import open_clip
from open_clip.pretrained import list_pretrained

from napari_clip_heatmap.clip.provenance import BUNDLED, HUB_MODELS, Provenance, provenance
from napari_clip_heatmap.clip.sources.build import build_model, refuse_unsupported, without_memory
from napari_clip_heatmap.clip.sources.open_clip_registry import tag_is_here
from napari_clip_heatmap.clip.sources.resolve import hub_folder
from napari_clip_heatmap.errors import ModelLoadError, UnsupportedModelError

__all__ = [
    "SPEEDS_NAME",
    "TABLE_NAME",
    "Architecture",
    "CatalogEntry",
    "architecture_of",
    "configuration_of",
    "format_table",
    "list_catalog",
    "read_architecture",
    "shipped_speed",
]


BYTES_PER_WEIGHT = 4

_QUICK = "-quickgelu"
"""Suffix of duplicate architectures, for an activation that the tags set anyway."""


@dataclass(frozen=True)
class CatalogEntry:
    """A model that can be loaded by its name.

    Parameters
    ----------
    name : str
        As `load_model` takes it.
    family : str
        Family of the image tower.
    image_size, patch_size : (int, int)
        Height and width of the model's input and of a patch, pixels.
    parameters : int or None
        Number of weights of both towers; None if unknown.
    data : str
        Training data.
    licence : str
    forbids : str
        What the license forbids; may be empty.
    note : str
        Further information, such as the field of a biomedical model; may be empty.
    needs : str
        A package to install as well; usually empty.
    here : bool
        Whether its files are on this machine.
    seconds_per_megapixel : float, optional
        Time of an encode at full resolution on two processor cores, as `shipped_speed` returns it.
    architecture : str
        Name that `configuration_of` takes.
    seconds_here : float, optional
        The same time as `pipeline.speed.measure_architecture` found it on this machine.
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
    seconds_per_megapixel: float | None = None
    architecture: str = ""
    seconds_here: float | None = None

    @property
    def download_bytes(self) -> int | None:
        """Approximate size of the download, in single precision; None if unknown."""
        if self.name in BUNDLED:
            return 0
        return None if self.parameters is None else BYTES_PER_WEIGHT * self.parameters

    @property
    def grid(self) -> tuple[int, int]:
        """Patches along height and width of one image."""
        (height, width), (patch_y, patch_x) = self.image_size, self.patch_size
        return height // patch_y, width // patch_x

    def matches(self, search: str) -> bool:
        """Return whether the entry contains every word of a search, ignoring case."""
        text = " ".join(
            (self.name, self.family, self.data, self.licence, self.forbids, self.note)
        ).lower()
        return all(word in text for word in search.lower().split())


def list_catalog(search: str = "") -> tuple[CatalogEntry, ...]:
    """Do what `napari_clip_heatmap.list_models` says, with open_clip imported."""
    return tuple(entry for entry in _entries() if entry.matches(search))


def _entries() -> Iterator[CatalogEntry]:
    for name, origin in BUNDLED.items():
        architecture = architecture_of(name)
        if architecture:
            yield _entry(name, name, architecture, origin, here=True)
    for model in HUB_MODELS:
        architecture = architecture_of(model.architecture)
        if architecture:
            here = hub_folder(model.name) is not None
            arch = model.architecture
            yield _entry(model.name, arch, architecture, model.provenance, here=here)
    buildable = {arch for arch in open_clip.list_models() if not arch.endswith(_QUICK)}
    for arch, tag in list_pretrained():  # older versions list tags that they cannot build
        architecture = architecture_of(arch) if arch in buildable else None
        if architecture:
            name = f"{arch}/{tag}"
            yield _entry(name, arch, architecture, provenance(name), here=tag_is_here(name))


def _entry(
    name: str, arch: str, architecture: Architecture, origin: Provenance, *, here: bool
) -> CatalogEntry:
    return CatalogEntry(
        name=name,
        family=architecture.family,
        image_size=architecture.image_size,
        patch_size=architecture.patch_size,
        parameters=architecture.parameters,
        data=origin.data,
        licence=origin.licence.name,
        forbids=origin.licence.forbids,
        note=origin.note,
        needs=architecture.needs,
        here=here,
        seconds_per_megapixel=shipped_speed(arch),
        architecture=arch,
    )


SPEEDS_NAME = "speeds.json"
"""File of measured speeds, which ``benchmarks/speeds.py`` writes."""


def shipped_speed(arch: str) -> float | None:
    """Return the seconds per megapixel of an architecture on two processor cores.

    They were measured in single precision, at full resolution and with the default overlap, on the
    processor that the file names. They compare models; `pipeline.speed.measure_architecture`
    measures this machine. None if the architecture was not measured.
    """
    return _speeds().get(arch)


@cache
def _speeds() -> dict[str, float]:
    text = (files("napari_clip_heatmap.clip") / SPEEDS_NAME).read_text(encoding="utf-8")
    found: dict[str, float] = json.loads(text)["seconds_per_megapixel"]
    return found


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
"""The architecture of BiomedCLIP and QuiltNet-B-16-PMB, which is not in open_clip's list."""


@dataclass(frozen=True)
class Architecture:
    """An architecture whose image tower can be decomposed.

    Parameters
    ----------
    family : str
    image_size, patch_size : (int, int)
        Height and width, pixels.
    parameters : int or None
        Of both towers; None if the text tower is from another library.
    needs : str
        A further package that its text tower or tokenizer needs; usually empty.
    """

    family: str
    image_size: tuple[int, int]
    patch_size: tuple[int, int]
    parameters: int | None
    needs: str


def architecture_of(name: str) -> Architecture | None:
    """Return an architecture of open_clip's list; None if it cannot be decomposed."""
    table = _table()
    return table[name] if name in table else read_architecture(name)


@cache
def read_architecture(name: str) -> Architecture | None:
    """Build an architecture, without memory for its weights, and return its description.

    None if it cannot be decomposed, or this open_clip cannot build it.
    """
    config = configuration_of(name)
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
    """Return an architecture as JSON values."""
    return None if architecture is None else asdict(architecture)


def configuration_of(name: str) -> Mapping[str, Any] | None:
    """Return open_clip's configuration of an architecture; None if there is none of that name."""
    if name in BUNDLED:
        text = (files("napari_clip_heatmap") / name / "open_clip_config.json").read_text("utf-8")
        bundled: dict[str, Any] = json.loads(text)["model_cfg"]
        return bundled
    config: Mapping[str, Any] | None = open_clip.get_model_config(name)
    return BIOMEDCLIP if name == "BiomedCLIP" else config


def _count(config: Mapping[str, Any], name: str) -> int:
    with without_memory():
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
