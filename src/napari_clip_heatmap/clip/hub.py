"""Models on the Hugging Face hub, "hf-hub:org/name": fetched as a folder, then read as one."""

from __future__ import annotations

import pickle
from pathlib import Path

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from napari_clip_heatmap.clip.checkpoint import WEIGHT_NAMES
from napari_clip_heatmap.clip.folder import CONFIG_NAME, VOCABULARY_NAME, load_folder
from napari_clip_heatmap.clip.source import Normalisation, Source
from napari_clip_heatmap.errors import ModelLoadError

__all__ = ["FETCH_ERRORS", "by_hand", "load_hub"]

FETCH_ERRORS = (OSError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError)
"""What fetching and reading weights raises when there is no network, no such file, or a bad one."""

_EXTRAS = (
    VOCABULARY_NAME,
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
)


def load_hub(name: str, normalisation: Normalisation | None = None) -> Source:
    """Load "hf-hub:org/name"; files come from the local cache, or are downloaded into it.

    Raises
    ------
    ModelLoadError
        The repository or its files cannot be had, or are no open_clip model.
    UnsupportedModelError
        The image tower cannot be decomposed.
    """
    repository = name.removeprefix("hf-hub:").strip("/")
    try:
        folder = _fetch(repository)
    except FETCH_ERRORS as error:
        raise ModelLoadError(
            f"The model '{name}' could not be had from the Hugging Face hub: {error}. {by_hand()}"
        ) from error
    return load_folder(folder, name, normalisation)


def by_hand() -> str:
    """Return one sentence on how to bring a model to a machine without network."""
    return (
        f"Without network: on a machine that has it, put {CONFIG_NAME} and {WEIGHT_NAMES[0]} of "
        "this model into a folder, bring the folder here, and load 'local-dir:FOLDER'."
    )


def _fetch(repository: str) -> Path:
    """Return the folder in the cache that holds configuration, weights and tokenizer."""
    config = Path(hf_hub_download(repository, CONFIG_NAME))
    for number, name in enumerate(WEIGHT_NAMES, start=1):
        if _fetched(repository, name):
            break
        if number == len(WEIGHT_NAMES):
            raise FileNotFoundError(f"{repository} has none of {', '.join(WEIGHT_NAMES)}")
    for name in _EXTRAS:
        _fetched(repository, name)
    return config.parent


def _fetched(repository: str, name: str) -> bool:
    """Fetch one file; say whether there is such a file."""
    try:
        hf_hub_download(repository, name)
    except LocalEntryNotFoundError:  # no network: what is not in the cache is not there
        return False
    except EntryNotFoundError:
        return False
    return True
