"""Models on the Hugging Face hub, "hf-hub:org/name": fetched as a folder, then read as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_clip_heatmap.clip.hub.offline import brought_by_hand, folder_by_hand
from napari_clip_heatmap.clip.hub.model_files import Cancel, Progress, bring
from napari_clip_heatmap.clip.folder import load_folder, refuse_folder
from napari_clip_heatmap.clip.sources.transformers_format import read_json
from napari_clip_heatmap.clip.needed import all_here, configuration, repository_of, rest_of_hub
from napari_clip_heatmap.clip.sources.normalization import Normalisation, Source

__all__ = ["HUB", "bring_hub", "hub_folder", "load_hub"]

HUB = "hf-hub:"
"""What begins the name of a model on the hub."""


def load_hub(name: str, normalisation: Normalisation | None = None) -> Source:
    """Load "hf-hub:org/name"; files that are not on this machine are downloaded.

    Parameters
    ----------
    name : str
    normalisation : Normalisation, optional
        Instead of what the model's files say.

    Raises
    ------
    ModelLoadError
        The repository or its files cannot be had, or are no CLIP.
    UnsupportedModelError
        The image tower cannot be decomposed.
    """
    return load_folder(hub_folder(name) or bring_hub(name), name, normalisation)


def hub_folder(name: str) -> Path | None:
    """Return the folder of a model that is on this machine, brought by hand or downloaded."""
    if brought_by_hand(name):
        return folder_by_hand(name)
    config = configuration(_repository(name)).here()
    if config is None:
        return None
    files = rest_of_hub(_repository(name), _text_cfg(config))
    return config.parent if all_here(files) else None


def bring_hub(
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
    (config,) = bring(name, [described], cancelled=cancelled, by_hand=by_hand, complete=False)
    refuse_folder(config.parent)
    rest = rest_of_hub(repository, _text_cfg(config))
    bring(name, rest, progress=progress, cancelled=cancelled, by_hand=by_hand)
    return config.parent


def _repository(name: str) -> str:
    return repository_of(name.removeprefix(HUB).strip("/"))


def _text_cfg(config: Path) -> dict[str, Any]:
    """Return open_clip's text configuration; empty in a folder of transformers' own."""
    model_cfg = read_json(config).get("model_cfg")
    text_cfg = model_cfg.get("text_cfg") if isinstance(model_cfg, dict) else None
    return text_cfg if isinstance(text_cfg, dict) else {}
