"""From the name of a model, as a user writes it, to the way it is loaded."""

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
from napari_clip_heatmap.clip.sources.checkpoint import WEIGHT_SUFFIXES
from napari_clip_heatmap.clip.sources.local import load_file, load_folder, refuse_folder
from napari_clip_heatmap.clip.sources.normalization import LoadedModel, Normalization
from napari_clip_heatmap.clip.sources.open_clip_registry import download_tag, load_tag, tag_is_here
from napari_clip_heatmap.clip.sources.transformers_format import read_json
from napari_clip_heatmap.errors import ModelLoadError

__all__ = [
    "DEMO",
    "HUB",
    "LOCAL",
    "download_hub_model",
    "download_named_model",
    "hub_folder",
    "load_hub",
    "load_named_model",
    "needs_download",
]


DEMO = "demo"
"""Name of the bundled model."""

LOCAL = "local-dir:"
"""What begins the name of a model in a folder, or a file, of the user's."""


def load_named_model(name: str, normalisation: Normalization | None = None) -> LoadedModel:
    """Load the model of that name.

    Parameters
    ----------
    name : str
        "demo"; "ARCH/TAG"; "hf-hub:ORG/NAME"; "local-dir:PATH"; the path of a file of weights,
        or "ARCH/TAG@PATH" or "ARCH@PATH" where the file does not say what belongs to it.
    normalisation : Normalization, optional
        Instead of what the model's own files say.

    Raises
    ------
    ModelLoadError
        There is no such model, or it cannot be read.
    UnsupportedModelError
        Its image tower cannot be decomposed.
    """
    if name == DEMO:
        return load_folder(Path(str(files("napari_clip_heatmap") / DEMO)), DEMO, normalisation)
    if name.startswith(HUB):
        return load_hub(name, normalisation)
    if name.startswith(LOCAL):
        path = Path(name.removeprefix(LOCAL)).expanduser()
        return (load_file if path.is_file() else load_folder)(path, name, normalisation)
    path = Path(name).expanduser()
    like, at, rest = ("", "", "") if path.is_file() else name.partition("@")
    if at and rest:
        return load_file(Path(rest).expanduser(), name, normalisation, like=like)
    if path.suffix in WEIGHT_SUFFIXES:
        return load_file(path, name, normalisation)
    return load_tag(name, normalisation)


HUB = "hf-hub:"
"""What begins the name of a model on the hub."""


def load_hub(name: str, normalisation: Normalization | None = None) -> LoadedModel:
    """Load "hf-hub:org/name"; files that are not on this machine are downloaded.

    Parameters
    ----------
    name : str
    normalisation : Normalization, optional
        Instead of what the model's files say.

    Raises
    ------
    ModelLoadError
        The repository or its files cannot be had, or are no CLIP.
    UnsupportedModelError
        The image tower cannot be decomposed.
    """
    return load_folder(hub_folder(name) or download_hub_model(name), name, normalisation)


def hub_folder(name: str) -> Path | None:
    """Return the folder of a model that is on this machine, brought by hand or downloaded."""
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
    """Download the files of "hf-hub:org/name", tokenizer included; return their folder.

    Raises
    ------
    ModelLoadError
        A file cannot be had, or the model's configuration is none.
    UnsupportedModelError
        The image tower cannot be decomposed; told before weights are fetched.
    Cancelled
        `cancelled` said so.
    """
    repository = _repository(name)
    described = configuration(repository)
    by_hand = (described, *rest_of_hub(repository, {})[:1])
    (config,) = download_files(
        name, [described], cancelled=cancelled, by_hand=by_hand, complete=False
    )
    refuse_folder(config.parent)
    rest = rest_of_hub(repository, _text_cfg(config))
    download_files(name, rest, progress=progress, cancelled=cancelled, by_hand=by_hand)
    return config.parent


def _repository(name: str) -> str:
    return repository_of(name.removeprefix(HUB).strip("/"))


def _text_cfg(config: Path) -> dict[str, Any]:
    """Return open_clip's text configuration; empty in a folder of transformers' own."""
    model_cfg = read_json(config).get("model_cfg")
    text_cfg = model_cfg.get("text_cfg") if isinstance(model_cfg, dict) else None
    return text_cfg if isinstance(text_cfg, dict) else {}


def download_named_model(
    name: str,
    *,
    progress: Progress = lambda done, total: None,
    cancelled: Cancel = lambda: False,
) -> Path:
    """Do what `napari_clip_heatmap.download_model` says, with the hub and open_clip imported.

    Raises
    ------
    ModelLoadError
        Its files are the user's own or bundled, there is no such model, or a file cannot be had.
    UnsupportedModelError
        Its image tower cannot be decomposed.
    Cancelled
        `cancelled` said so.
    """
    if _is_local(name):
        raise ModelLoadError(f"'{name}' is on this machine; there is nothing to download.")
    if name.startswith(HUB):
        return download_hub_model(name, progress=progress, cancelled=cancelled)
    return download_tag(name, progress=progress, cancelled=cancelled)


def needs_download(name: str) -> bool:
    """Whether loading a model would fetch files of it; no network is used.

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
    """Whether a name is that of the bundled model, or of files of the user's."""
    if name.startswith(HUB):
        return False
    local = name == DEMO or name.startswith(LOCAL) or "@" in name
    return local or Path(name).suffix in WEIGHT_SUFFIXES
