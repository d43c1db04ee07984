"""Model files that a person brings to this machine, where no download can."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

__all__ = ["brought_by_hand", "folder_by_hand", "how_by_hand"]

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


def brought_by_hand(name: str) -> bool:
    """Whether there is any file in a model's folder."""
    folder = folder_by_hand(name)
    return folder.is_dir() and any(path.is_file() for path in folder.iterdir())


def how_by_hand(name: str, addresses: Sequence[str]) -> str:
    """Return one sentence: which files to put into which folder by hand."""
    return (
        f"Or get by hand, with a browser or on another machine, {' and '.join(addresses)} and put "
        f"{'it' if len(addresses) == 1 else 'them'} into the folder {folder_by_hand(name)}; "
        f"'{name}' then loads from there."
    )
