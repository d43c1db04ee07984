"""A model for later, or for a machine without network; and whether that is needed."""

from __future__ import annotations

from pathlib import Path

from napari_clip_heatmap.clip.sources.checkpoint import WEIGHT_SUFFIXES
from napari_clip_heatmap.clip.hub.model_files import Cancel, Progress
from napari_clip_heatmap.clip.hub import HUB, bring_hub, hub_folder
from napari_clip_heatmap.clip.sources.resolve import DEMO, LOCAL
from napari_clip_heatmap.clip.sources.open_clip_registry import bring_tag, tag_is_here
from napari_clip_heatmap.errors import ModelLoadError

__all__ = ["download_model", "needs_download"]


def download_model(
    name: str,
    *,
    progress: Progress = lambda done, total: None,
    cancelled: Cancel = lambda: False,
) -> Path:
    """Do what `napari_clip_heatmap.download_model` says, with the hub and open_clip imported.

    Raises
    ------
    ModelLoadError
        Its files are the user's own or bundled, there is no such model, or a file cannot be had.
    UnsupportedModelError
        Its image tower cannot be decomposed.
    Cancelled
        `cancelled` said so.
    """
    if _is_local(name):
        raise ModelLoadError(f"'{name}' is on this machine; there is nothing to download.")
    if name.startswith(HUB):
        return bring_hub(name, progress=progress, cancelled=cancelled)
    return bring_tag(name, progress=progress, cancelled=cancelled)


def needs_download(name: str) -> bool:
    """Whether loading a model would fetch files of it; no network is used.

    Parameters
    ----------
    name : str
        As `load_model` takes it.

    Raises
    ------
    ModelLoadError
        There is no such model.
    """
    if _is_local(name):
        return False
    if name.startswith(HUB):
        return hub_folder(name) is None
    return not tag_is_here(name)


def _is_local(name: str) -> bool:
    """Whether a name is that of the bundled model, or of files of the user's."""
    if name.startswith(HUB):
        return False
    local = name == DEMO or name.startswith(LOCAL) or "@" in name
    return local or Path(name).suffix in WEIGHT_SUFFIXES
