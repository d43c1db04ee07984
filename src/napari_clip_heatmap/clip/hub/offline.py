"""Model files that a person brings to this machine, where no download can."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub.errors import (
    EntryNotFoundError,
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

__all__ = ["FETCH_ERRORS", "by_hand_advice", "failure_reason", "folder_by_hand", "placed_by_hand"]


MODELS_VARIABLE = "CLIP_HEATMAP_MODELS"
"""Environment variable that names another folder than ``~/.cache/clip-heatmap``."""


def folder_by_hand(name: str) -> Path:
    """Return the folder where files of a model are looked for first.

    Parameters
    ----------
    name : str
        "ARCH/TAG" or "hf-hub:ORG/NAME".
    """
    root = os.environ.get(MODELS_VARIABLE) or Path.home() / ".cache" / "clip-heatmap"
    return Path(root).expanduser().joinpath(*name.replace(":", "/").split("/"))


def placed_by_hand(name: str) -> bool:
    """Whether there is any file in a model's folder."""
    folder = folder_by_hand(name)
    return folder.is_dir() and any(path.is_file() for path in folder.iterdir())


def by_hand_advice(name: str, addresses: Sequence[str]) -> str:
    """Return one sentence: which files to put into which folder by hand."""
    return (
        f"Or get by hand, with a browser or on another machine, {' and '.join(addresses)} and put "
        f"{'it' if len(addresses) == 1 else 'them'} into the folder {folder_by_hand(name)}; "
        f"'{name}' then loads from there."
    )


FETCH_ERRORS: tuple[type[Exception], ...] = (OSError, *HfHubHTTPError.__bases__)
"""What fetching raises: the system's errors, and those of whichever HTTP library the hub uses."""

_PROXY = "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"


def failure_reason(error: BaseException) -> str:
    """Return why a download failed and what to do about it, without a full stop."""
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, so nothing is fetched; unset it to allow downloads"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 407 or ("proxy" in type(error).__name__.lower() and "407" in str(error)):
        return f"the proxy asks for a password (HTTP 407); set {_PROXY}"
    if isinstance(error, (GatedRepoError, RepositoryNotFoundError)) or status in (401, 403):
        return (
            f"there is no such repository, or it asks for permission (HTTP {status}); accept its "
            "terms on its page and log in with `hf auth login`, or set HF_TOKEN"
        )
    if isinstance(error, EntryNotFoundError) or status == 404:
        return "there is no such file there (HTTP 404)"
    if status is not None:
        return f"the server answers HTTP {status}; try again later"
    if isinstance(error, FileMetadataError):  # ours and WrongHashError say it themselves
        return str(error)
    return _of_the_system(error) or (
        f"no connection ({type(error).__name__}: {error}); check the network and, behind a proxy, "
        f"set {_PROXY}"
    )


def _of_the_system(error: BaseException) -> str:
    """Return what the disk, rather than the network, has against it; empty if it has nothing."""
    number, where = getattr(error, "errno", None), getattr(error, "filename", None) or "the cache"
    if number in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full ({where}); make room, or set HF_HOME to a folder on another disk"
    if number in (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR):
        return f"{where} cannot be written ({error}); set HF_HOME to a folder that can"
    return ""
