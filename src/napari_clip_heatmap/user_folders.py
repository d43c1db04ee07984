"""Where files that belong to the user, not to a project, are kept."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path, user_data_path

__all__ = ["cache_root", "data_root"]


def cache_root() -> Path:
    r"""Return the folder that holds everything this package caches, in the user's cache folder.

    Linux: ``~/.cache/clip-heatmap``; macOS: ``~/Library/Caches/clip-heatmap``; Windows:
    ``%LOCALAPPDATA%\clip-heatmap\Cache``. It is not created.
    """
    return user_cache_path("clip-heatmap", appauthor=False)


def data_root() -> Path:
    r"""Return the folder for what the user made and may want to keep, such as calibrations.

    Linux: ``~/.local/share/clip-heatmap``; macOS: ``~/Library/Application Support/clip-heatmap``;
    Windows: ``%LOCALAPPDATA%\clip-heatmap``. It is not created.
    """
    return user_data_path("clip-heatmap", appauthor=False)
