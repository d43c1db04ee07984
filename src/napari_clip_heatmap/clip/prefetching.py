"""A model for later, or for a machine without network; and whether that is needed."""

from __future__ import annotations

from pathlib import Path

from napari_clip_heatmap.clip.checkpoint import WEIGHT_SUFFIXES
from napari_clip_heatmap.clip.downloading import Cancel, Progress
from napari_clip_heatmap.clip.hub import HUB, bring_hub, hub_folder
from napari_clip_heatmap.clip.naming import DEMO
from napari_clip_heatmap.clip.registry import bring_tag, tag_is_here
from napari_clip_heatmap.errors import ModelLoadError

__all__ = ["download_model", "needs_download"]


def download_model(
    name: str,
    *,
    progress: Progress = lambda done, total: None,
    cancelled: Cancel = lambda: False,
) -> Path:
    """Bring a model's files to this machine, tokenizer included, so that it loads offline.

    Files that are here and still the newest are not fetched again; a download that was cut or
    cancelled goes on where it ended; every file is checked against the hash on record.

    Parameters
    ----------
    name : str
        "ARCH/TAG" of open_clip, or "hf-hub:ORG/NAME".
    progress : callable(bytes_here, bytes_in_all), optional
        Called at every piece.
    cancelled : callable() -> bool, optional
        Asked at every piece.

    Returns
    -------
    Path
        The file of weights, or the folder of a model of the hub, in the hub's cache.

    Raises
    ------
    ModelLoadError
        There is no such model, or a file cannot be had: which, from where, why, and where to put
        it by hand.
    UnsupportedModelError
        Its image tower cannot be decomposed; told before anything is fetched.
    Cancelled
        `cancelled` said so; what has come is kept.
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
    local = name == DEMO or name.startswith("local-dir:") or "@" in name
    return local or Path(name).suffix in WEIGHT_SUFFIXES
