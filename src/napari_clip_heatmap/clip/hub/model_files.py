"""A model's files onto this machine: weights, configuration and tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import constants, hf_hub_url
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from napari_clip_heatmap.clip.hub.download import (
    Remote,
    cached_file,
    download_file,
    look_up,
    set_current_version,
)
from napari_clip_heatmap.clip.hub.offline import FETCH_ERRORS, by_hand_advice, failure_reason
from napari_clip_heatmap.clip.sources.checkpoint import WEIGHT_NAMES
from napari_clip_heatmap.clip.sources.transformers_format import (
    HF_CONFIG_NAME,
    HF_PREPROCESSING_NAME,
)
from napari_clip_heatmap.errors import Cancelled, ModelLoadError

__all__ = [
    "CONFIG_NAME",
    "VOCABULARY_NAME",
    "Cancel",
    "Progress",
    "RequiredFile",
    "all_here",
    "configuration",
    "download_files",
    "find_or_download",
    "repository_of",
    "rest_of_hub",
    "tag_files",
]

CONFIG_NAME, VOCABULARY_NAME = "open_clip_config.json", "vocabulary.txt"
"""Files of an open_clip model folder that are not weights."""

Progress = Callable[[int, int], None]
"""Bytes that are here, and bytes in all."""

Cancel = Callable[[], bool]


def download_files(
    name: str,
    files: Sequence[RequiredFile],
    *,
    progress: Progress = lambda done, total: None,
    cancelled: Cancel = lambda: False,
    by_hand: Sequence[RequiredFile] = (),
    complete: bool = True,
) -> list[Path]:
    """Download what the hub has newer, or this machine has not.

    Parameters
    ----------
    name : str
        Of the model, for messages.
    files : sequence of RequiredFile
    progress : callable(bytes_here, bytes_in_all), optional
    cancelled : callable() -> bool, optional
        Asked before every piece; what has come is kept, and the next call goes on from there.
    by_hand : sequence of RequiredFile, optional
        What a person would have to bring to this machine, if not just the file that failed.
    complete : bool
        Whether these files are all there are; then their version is the one that is used from now
        on, and until then the one before.

    Returns
    -------
    list of Path
        In the order of `files`, without those that are not required and not there.

    Raises
    ------
    ModelLoadError
        A file cannot be had: which one, from where, why, and where to put it by hand.
    Cancelled
        `cancelled` said so.
    """
    remotes = []
    for needed in files:
        if cancelled():
            raise Cancelled("The download was cancelled before it began.")
        if remote := _found(name, needed, by_hand):
            remotes.append(remote)
    total = sum(remote.size or 0 for remote in remotes)
    before, paths = 0, []
    for remote in remotes:

        def tell(done: int, before: int = before) -> None:
            progress(before + done, total)

        try:
            paths.append(download_file(remote, progress=tell, cancelled=cancelled))
        except FETCH_ERRORS as error:
            raise _failure(name, remote.repository, remote.name, by_hand, error) from error
        before += remote.size or 0
        progress(before, total)
    if complete:
        _settle(name, remotes, by_hand)
    return paths


def find_or_download(name: str, files: Sequence[RequiredFile]) -> list[Path]:
    """Return files as they are on this machine; download them only where one is missing."""
    if all_here(files):
        return [path for needed in files if (path := needed.here())]
    return download_files(name, files)


def _settle(name: str, remotes: Sequence[Remote], by_hand: Sequence[RequiredFile]) -> None:
    for remote in remotes:
        try:
            set_current_version(remote)
        except OSError as error:
            raise _failure(name, remote.repository, remote.name, by_hand, error) from error


def _found(name: str, needed: RequiredFile, by_hand: Sequence[RequiredFile]) -> Remote | None:
    try:
        for each in needed.names:
            remote = look_up(needed.repository, each)
            if remote is not None:
                return remote
    except FETCH_ERRORS as error:
        raise _failure(name, needed.repository, needed.names[0], by_hand, error) from error
    if needed.required:
        raise ModelLoadError(
            f"'{needed.repository}' on {constants.ENDPOINT} has none of {', '.join(needed.names)}, "
            f"so '{name}' cannot be loaded from it."
        )
    return None


def _failure(
    name: str, repository: str, file: str, by_hand: Sequence[RequiredFile], error: BaseException
) -> ModelLoadError:
    address = hf_hub_url(repository, file)
    to_bring = [hf_hub_url(each.repository, each.names[0]) for each in by_hand] or [address]
    return ModelLoadError(
        f"The file {file} of '{name}' could not be had from {address}: {failure_reason(error)}. "
        f"{by_hand_advice(name, to_bring)}"
    )


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
class RequiredFile:
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
        return next(
            (path for name in self.names if (path := cached_file(self.repository, name))), None
        )


def all_here(files: Iterable[RequiredFile]) -> bool:
    """Whether all that a model cannot be loaded without is on this machine."""
    return all(each.here() for each in files if each.required)


def tag_files(tag_cfg: Mapping[str, Any], text_cfg: Mapping[str, Any]) -> tuple[RequiredFile, ...]:
    """Return what a tag of open_clip's list needs, the weights first."""
    repository, _, file = str(tag_cfg["hf_hub"]).rpartition("/")
    names = (f"{Path(file).stem}.safetensors", file) if file else _OPEN_CLIP_NAMES
    return (RequiredFile(repository, tuple(dict.fromkeys(names))), *_tokenizer_files(text_cfg))


def configuration(repository: str) -> RequiredFile:
    """Return the file that describes a model on the hub, open_clip's or transformers'."""
    return RequiredFile(repository, (CONFIG_NAME, HF_CONFIG_NAME))


def rest_of_hub(repository: str, text_cfg: Mapping[str, Any]) -> tuple[RequiredFile, ...]:
    """Return what a model on the hub needs beside its configuration, the weights first."""
    extras = (HF_PREPROCESSING_NAME, VOCABULARY_NAME, *_TOKENIZER_NAMES)
    return (
        RequiredFile(repository, WEIGHT_NAMES),
        *(RequiredFile(repository, (name,), required=False) for name in extras),
        *_tokenizer_files(text_cfg),
    )


def _tokenizer_files(text_cfg: Mapping[str, Any]) -> tuple[RequiredFile, ...]:
    """Return what a text tower of the transformers library needs; CLIP's own needs nothing."""
    files = []
    if model := text_cfg.get("hf_model_name"):
        files.append(RequiredFile(repository_of(model), (HF_CONFIG_NAME,)))
    if tokenizer := text_cfg.get("hf_tokenizer_name"):
        repository = repository_of(tokenizer)
        files += [RequiredFile(repository, (name,), required=False) for name in _TOKENIZER_NAMES]
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
