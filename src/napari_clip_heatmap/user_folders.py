"""Where files that belong to the user, not to a project, are kept."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["cache_root"]


def cache_root() -> Path:
    r"""Return the folder that holds everything this package caches, in the user's cache folder.

    Linux: ``~/.cache/clip-heatmap``; macOS: ``~/Library/Caches/clip-heatmap``; Windows:
    ``%LOCALAPPDATA%\clip-heatmap\Cache``. It is not created.
    """
    return user_cache_path("clip-heatmap", appauthor=False)
