"""The files of a model on the hub: weights, configuration and tokenizer; find or download them."""

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
from napari_clip_heatmap.errors import Cancelled, ModelLoadError, shorten

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
"""Files of an open_clip model folder besides the weights."""

Progress = Callable[[int, int], None]
"""Called with the bytes received so far and the total."""

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
    """Download the files that are missing here, or newer on the hub.

    Parameters
    ----------
    name : str
        Name of the model, for messages.
    files : sequence of RequiredFile
    progress : callable(received_bytes, total_bytes), optional
    cancelled : callable() -> bool, optional
        Called for each piece; true stops the download, and the next call continues it.
    by_hand : sequence of RequiredFile, optional
        The files to name in an error, for a user who downloads by hand; by default the one that
        failed.
    complete : bool
        Whether these are all files of the model. If so, their version becomes the current one;
        until then, the previous version is used.

    Returns
    -------
    list of Path
        In the order of `files`, without optional files that do not exist.

    Raises
    ------
    ModelLoadError
        A file cannot be downloaded: which one, from where, why, and where to place it by hand.
    Cancelled
        `cancelled` returned true.
    """
    remotes = []
    for file in files:
        if cancelled():
            raise Cancelled("The download was cancelled before it started.")
        if remote := _look_up_first(name, file, by_hand):
            remotes.append(remote)
    total = sum(remote.size or 0 for remote in remotes)
    before, paths = 0, []
    for remote in remotes:

        def report(done: int, before: int = before) -> None:
            progress(before + done, total)

        try:
            paths.append(download_file(remote, progress=report, cancelled=cancelled))
        except FETCH_ERRORS as error:
            raise _failure(name, remote.repository, remote.name, by_hand, error) from error
        before += remote.size or 0
        progress(before, total)
    if complete:
        _set_current_versions(name, remotes, by_hand)
    return paths


def find_or_download(name: str, files: Sequence[RequiredFile]) -> list[Path]:
    """Return the files on this machine; download them only if one is missing."""
    if all_here(files):
        return [path for file in files if (path := file.here())]
    return download_files(name, files)


def _set_current_versions(
    name: str, remotes: Sequence[Remote], by_hand: Sequence[RequiredFile]
) -> None:
    for remote in remotes:
        try:
            set_current_version(remote)
        except OSError as error:
            raise _failure(name, remote.repository, remote.name, by_hand, error) from error


def _look_up_first(name: str, file: RequiredFile, by_hand: Sequence[RequiredFile]) -> Remote | None:
    """Return the metadata of the first of a file's names that exists on the hub."""
    try:
        for file_name in file.names:
            remote = look_up(file.repository, file_name)
            if remote is not None:
                return remote
    except FETCH_ERRORS as error:
        raise _failure(name, file.repository, file.names[0], by_hand, error) from error
    if file.required:
        raise ModelLoadError(
            f"'{file.repository}' on {constants.ENDPOINT} has none of "
            f"{shorten(', '.join(file.names), 200)}, so {shorten(repr(name))} cannot be loaded."
        )
    return None


def _failure(
    name: str, repository: str, file: str, by_hand: Sequence[RequiredFile], error: BaseException
) -> ModelLoadError:
    urls = [hf_hub_url(each.repository, each.names[0]) for each in by_hand]
    urls = urls or [hf_hub_url(repository, file)]
    return ModelLoadError(
        f"The file {file} of '{shorten(name, 60)}' could not be downloaded from "
        f"{constants.ENDPOINT}: {failure_reason(error)}. {by_hand_advice(name, urls)}"
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
    """A file that a model needs, under the first of several names that exists.

    Parameters
    ----------
    repository : str
    names : tuple of str
        The preferred one first.
    required : bool
        Whether the model cannot be loaded without it.
    """

    repository: str
    names: tuple[str, ...]
    required: bool = True

    def here(self) -> Path | None:
        """Return its path if it is on this machine; no network is used."""
        return next(
            (path for name in self.names if (path := cached_file(self.repository, name))), None
        )


def all_here(files: Iterable[RequiredFile]) -> bool:
    """Return whether all required files are on this machine."""
    return all(each.here() for each in files if each.required)


def tag_files(tag_cfg: Mapping[str, Any], text_cfg: Mapping[str, Any]) -> tuple[RequiredFile, ...]:
    """Return the files of a tag in open_clip's list, the weights first."""
    repository, _, file = str(tag_cfg["hf_hub"]).rpartition("/")
    names = (f"{Path(file).stem}.safetensors", file) if file else _OPEN_CLIP_NAMES
    return (RequiredFile(repository, tuple(dict.fromkeys(names))), *_tokenizer_files(text_cfg))


def configuration(repository: str) -> RequiredFile:
    """Return the configuration file of a model on the hub, of open_clip or transformers."""
    return RequiredFile(repository, (CONFIG_NAME, HF_CONFIG_NAME))


def rest_of_hub(repository: str, text_cfg: Mapping[str, Any]) -> tuple[RequiredFile, ...]:
    """Return the files of a model on the hub without its configuration, the weights first."""
    extras = (HF_PREPROCESSING_NAME, VOCABULARY_NAME, *_TOKENIZER_NAMES)
    return (
        RequiredFile(repository, WEIGHT_NAMES),
        *(RequiredFile(repository, (name,), required=False) for name in extras),
        *_tokenizer_files(text_cfg),
    )


def _tokenizer_files(text_cfg: Mapping[str, Any]) -> tuple[RequiredFile, ...]:
    """Return the files for a text tower of the transformers library; CLIP's own needs none."""
    files = []
    if model := text_cfg.get("hf_model_name"):
        files.append(RequiredFile(repository_of(model), (HF_CONFIG_NAME,)))
    if tokenizer := text_cfg.get("hf_tokenizer_name"):
        repository = repository_of(tokenizer)
        files += [RequiredFile(repository, (name,), required=False) for name in _TOKENIZER_NAMES]
    return tuple(files)


def repository_of(name: object) -> str:
    """Return the name of a repository on the hub.

    Raises
    ------
    ModelLoadError
        It is not a valid name.
    """
    try:
        validate_repo_id(name)  # type: ignore[arg-type]  # it checks the type too
    except HFValidationError as error:
        raise ModelLoadError(
            f"{shorten(repr(name))} is not the name of a repository on the hub, such as ORG/NAME."
        ) from error
    return str(name)
