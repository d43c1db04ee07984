"""Model files that a user places by hand, and why a download failed."""

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

from napari_clip_heatmap.errors import shorten
from napari_clip_heatmap.user_folders import cache_root

__all__ = ["FETCH_ERRORS", "by_hand_advice", "failure_reason", "folder_by_hand", "placed_by_hand"]


MODELS_VARIABLE = "CLIP_HEATMAP_MODELS"
"""Environment variable with the folder of models placed by hand; by default `cache_root`."""


def folder_by_hand(name: str) -> Path:
    """Return the folder in which a model's files are looked for first.

    Parameters
    ----------
    name : str
        "ARCH/TAG" or "hf-hub:ORG/NAME".
    """
    root = os.environ.get(MODELS_VARIABLE) or cache_root()
    return Path(root).expanduser().joinpath(*name.replace(":", "/").split("/"))


def placed_by_hand(name: str) -> bool:
    """Return whether a model's folder holds a file."""
    folder = folder_by_hand(name)
    try:
        return folder.is_dir() and any(path.is_file() for path in folder.iterdir())
    except OSError:  # it cannot be listed, or the system cannot have such a name
        return False


def by_hand_advice(name: str, urls: Sequence[str]) -> str:
    """Return a sentence that says which files to download by hand into which folder."""
    folders: dict[str, list[str]] = {}
    for url in urls:
        folder, _, file = url.rpartition("/")
        folders.setdefault(folder, []).append(file)
    sources = [f"{' and '.join(files)} from {folder}" for folder, files in folders.items()]
    return f"Or download by hand {' and '.join(sources)} into {folder_by_hand(name)}."


FETCH_ERRORS: tuple[type[Exception], ...] = (OSError, *HfHubHTTPError.__bases__)
"""Errors of a download: those of the system, and of the HTTP library that the hub's client uses."""

_PROXY = "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"


def failure_reason(error: BaseException) -> str:
    """Return why a download failed and what to do, without a full stop at the end."""
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, so nothing is downloaded; unset it to allow downloads"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 407 or ("proxy" in type(error).__name__.lower() and "407" in str(error)):
        return f"the proxy requires a password (HTTP 407); set {_PROXY}"
    if isinstance(error, (GatedRepoError, RepositoryNotFoundError)) or status in (401, 403):
        return (
            f"there is no such repository, or it requires permission (HTTP {status}); accept its "
            "terms on its page and log in with `hf auth login`, or set HF_TOKEN"
        )
    if isinstance(error, EntryNotFoundError) or status == 404:
        return "there is no such file there (HTTP 404)"
    if status is not None:
        return f"the server responds with HTTP {status}; try again later"
    if isinstance(error, FileMetadataError):  # raised here, with the reason in its message
        return str(error)
    return _disk_reason(error) or (
        f"no connection ({type(error).__name__}: {shorten(error, 60)}); check the network and, "
        f"behind a proxy, set {_PROXY}"
    )


def _disk_reason(error: BaseException) -> str:
    """Return why the disk, rather than the network, made a download fail; empty if it did not."""
    number, where = getattr(error, "errno", None), getattr(error, "filename", None) or "the cache"
    if number in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk is full ({where}); free some space, or set HF_HOME to a folder on another "
            "disk"
        )
    if number in (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR):
        return f"{where} cannot be written ({shorten(error, 80)}); set HF_HOME to a folder that can"
    return ""
