"""Resolve the name of a model, as a user writes it, to its files, and load or download them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from napari_clip_heatmap.clip.hub.model_files import (
    Cancel,
    Progress,
    all_here,
    configuration,
    download_files,
    repository_of,
    rest_of_hub,
)
from napari_clip_heatmap.clip.hub.offline import folder_by_hand, placed_by_hand
from napari_clip_heatmap.clip.provenance import BUNDLED
from napari_clip_heatmap.clip.sources.checkpoint import WEIGHT_SUFFIXES, is_file
from napari_clip_heatmap.clip.sources.local import load_file, load_folder, refuse_folder
from napari_clip_heatmap.clip.sources.normalization import LoadedModel, Normalization
from napari_clip_heatmap.clip.sources.open_clip_registry import download_tag, load_tag, tag_is_here
from napari_clip_heatmap.clip.sources.transformers_format import read_json
from napari_clip_heatmap.errors import ModelLoadError, shorten

__all__ = [
    "HUB",
    "LOCAL",
    "download_hub_model",
    "download_named_model",
    "hub_folder",
    "load_hub",
    "load_named_model",
    "needs_download",
]


LOCAL = "local-dir:"
"""Prefix of the name of a model in a local folder or file."""


def load_named_model(name: str, normalization: Normalization | None = None) -> LoadedModel:
    """Load the model of that name.

    Parameters
    ----------
    name : str
        "demo" or "micrographs"; "ARCH/TAG"; "hf-hub:ORG/NAME"; "local-dir:PATH"; the path of a file
        of weights, or "ARCH/TAG@PATH" or "ARCH@PATH" for a file that holds nothing but weights.
    normalization : Normalization, optional
        Instead of the one in the model's files.

    Raises
    ------
    ModelLoadError
        There is no such model, or it cannot be read.
    UnsupportedModelError
        The image tower cannot be decomposed.
    """
    if name in BUNDLED:
        return load_folder(Path(str(files("napari_clip_heatmap") / name)), name, normalization)
    if name.startswith(HUB):
        return load_hub(name, normalization)
    if name.startswith(LOCAL):
        path = Path(name.removeprefix(LOCAL)).expanduser()
        return (load_file if is_file(path) else load_folder)(path, name, normalization)
    path = Path(name).expanduser()
    released, _, file = ("", "", "") if is_file(path) else name.partition("@")
    if file:
        return load_file(Path(file).expanduser(), name, normalization, released_as=released)
    if path.suffix in WEIGHT_SUFFIXES:
        return load_file(path, name, normalization)
    return load_tag(name, normalization)


HUB = "hf-hub:"
"""Prefix of the name of a model on the Hugging Face hub."""


def load_hub(name: str, normalization: Normalization | None = None) -> LoadedModel:
    """Load "hf-hub:ORG/NAME"; files that are not on this machine are downloaded.

    Raises
    ------
    ModelLoadError
        The repository or its files cannot be downloaded, or do not describe a CLIP model.
    UnsupportedModelError
        The image tower cannot be decomposed.
    """
    return load_folder(hub_folder(name) or download_hub_model(name), name, normalization)


def hub_folder(name: str) -> Path | None:
    """Return the folder of a model on this machine, placed by hand or downloaded; else None."""
    if placed_by_hand(name):
        return folder_by_hand(name)
    config = configuration(_repository(name)).here()
    if config is None:
        return None
    files = rest_of_hub(_repository(name), _text_cfg(config))
    return config.parent if all_here(files) else None


def download_hub_model(
    name: str,
    *,
    progress: Progress = lambda done, total: None,
    cancelled: Cancel = lambda: False,
) -> Path:
    """Download the files of "hf-hub:ORG/NAME", tokenizer included; return their folder.

    Raises
    ------
    ModelLoadError
        A file cannot be downloaded, or the configuration is invalid.
    UnsupportedModelError
        The image tower cannot be decomposed; raised before weights are downloaded.
    Cancelled
        `cancelled` returned true.
    """
    repository = _repository(name)
    config_file = configuration(repository)
    by_hand = (config_file, *rest_of_hub(repository, {})[:1])
    (config,) = download_files(
        name, [config_file], cancelled=cancelled, by_hand=by_hand, complete=False
    )
    refuse_folder(config.parent)
    rest = rest_of_hub(repository, _text_cfg(config))
    download_files(name, rest, progress=progress, cancelled=cancelled, by_hand=by_hand)
    return config.parent


def _repository(name: str) -> str:
    return repository_of(name.removeprefix(HUB).strip("/"))


def _text_cfg(config: Path) -> dict[str, Any]:
    """Return open_clip's text configuration; empty for a folder of the transformers library."""
    model_cfg = read_json(config).get("model_cfg")
    text_cfg = model_cfg.get("text_cfg") if isinstance(model_cfg, dict) else None
    return text_cfg if isinstance(text_cfg, dict) else {}


def download_named_model(
    name: str,
    *,
    progress: Progress = lambda done, total: None,
    cancelled: Cancel = lambda: False,
) -> Path:
    """Do what `napari_clip_heatmap.download_model` says, with the hub and open_clip imported."""
    if _is_local(name):
        raise ModelLoadError(
            f"{shorten(repr(name))} is on this machine; there is nothing to download."
        )
    if name.startswith(HUB):
        return download_hub_model(name, progress=progress, cancelled=cancelled)
    return download_tag(name, progress=progress, cancelled=cancelled)


def needs_download(name: str) -> bool:
    """Return whether loading a model would download files; no network is used.

    Parameters
    ----------
    name : str
        As `load_model` takes it.

    Raises
    ------
    ModelLoadError
        There is no such model.
    """
    if _is_local(name):
        return False
    if name.startswith(HUB):
        return hub_folder(name) is None
    return not tag_is_here(name)


def _is_local(name: str) -> bool:
    """Return whether a name means a bundled model or local files."""
    if name.startswith(HUB):
        return False
    local = name in BUNDLED or name.startswith(LOCAL) or "@" in name
    return local or Path(name).suffix in WEIGHT_SUFFIXES
