"""Which files of the hub a model needs, on this machine or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from napari_clip_heatmap.clip.sources.checkpoint import WEIGHT_NAMES
from napari_clip_heatmap.clip.hub.download import cached
from napari_clip_heatmap.clip.folder import CONFIG_NAME, VOCABULARY_NAME
from napari_clip_heatmap.clip.sources.transformers_format import HF_CONFIG_NAME, HF_PREPROCESSING_NAME
from napari_clip_heatmap.errors import ModelLoadError

__all__ = [
    "Needed",
    "all_here",
    "configuration",
    "repository_of",
    "rest_of_hub",
    "tag_files",
]

_OPEN_CLIP_NAMES = tuple(name for name in WEIGHT_NAMES if name.startswith("open_clip"))
_TOKENIZER_NAMES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
)


@dataclass(frozen=True)
class Needed:
    """A file of a repository, under the first of several names that is there.

    Parameters
    ----------
    repository : str
    names : tuple of str
        The best first.
    required : bool
        Whether the model cannot be loaded without it.
    """

    repository: str
    names: tuple[str, ...]
    required: bool = True

    def here(self) -> Path | None:
        """Return it if it is on this machine, without asking the network."""
        return next((path for name in self.names if (path := cached(self.repository, name))), None)


def all_here(files: Iterable[Needed]) -> bool:
    """Whether all that a model cannot be loaded without is on this machine."""
    return all(each.here() for each in files if each.required)


def tag_files(tag_cfg: Mapping[str, Any], text_cfg: Mapping[str, Any]) -> tuple[Needed, ...]:
    """Return what a tag of open_clip's list needs, the weights first."""
    repository, _, file = str(tag_cfg["hf_hub"]).rpartition("/")
    names = (f"{Path(file).stem}.safetensors", file) if file else _OPEN_CLIP_NAMES
    return (Needed(repository, tuple(dict.fromkeys(names))), *_tokenizer_files(text_cfg))


def configuration(repository: str) -> Needed:
    """Return the file that describes a model on the hub, open_clip's or transformers'."""
    return Needed(repository, (CONFIG_NAME, HF_CONFIG_NAME))


def rest_of_hub(repository: str, text_cfg: Mapping[str, Any]) -> tuple[Needed, ...]:
    """Return what a model on the hub needs beside its configuration, the weights first."""
    extras = (HF_PREPROCESSING_NAME, VOCABULARY_NAME, *_TOKENIZER_NAMES)
    return (
        Needed(repository, WEIGHT_NAMES),
        *(Needed(repository, (name,), required=False) for name in extras),
        *_tokenizer_files(text_cfg),
    )


def _tokenizer_files(text_cfg: Mapping[str, Any]) -> tuple[Needed, ...]:
    """Return what a text tower of the transformers library needs; CLIP's own needs nothing."""
    files = []
    if model := text_cfg.get("hf_model_name"):
        files.append(Needed(repository_of(model), (HF_CONFIG_NAME,)))
    if tokenizer := text_cfg.get("hf_tokenizer_name"):
        repository = repository_of(tokenizer)
        files += [Needed(repository, (name,), required=False) for name in _TOKENIZER_NAMES]
    return tuple(files)


def repository_of(name: object) -> str:
    """Return the name of a repository, if it can be one.

    Raises
    ------
    ModelLoadError
        It cannot.
    """
    try:
        validate_repo_id(name)  # type: ignore[arg-type]  # what it is there to find out
    except HFValidationError as error:
        raise ModelLoadError(f"{name!r} is no name on the hub, which are like ORG/NAME.") from error
    return str(name)
