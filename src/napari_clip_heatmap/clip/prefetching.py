"""A model for later, or for a machine without network."""

from __future__ import annotations

from pathlib import Path

from napari_clip_heatmap.clip.downloading import Cancel, Progress
from napari_clip_heatmap.clip.hub import HUB, bring_hub
from napari_clip_heatmap.clip.naming import DEMO
from napari_clip_heatmap.clip.registry import bring_tag
from napari_clip_heatmap.errors import ModelLoadError

__all__ = ["download_model"]


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
    if name == DEMO or name.startswith("local-dir:") or "@" in name:
        raise ModelLoadError(f"'{name}' is on this machine; there is nothing to download.")
    if name.startswith(HUB):
        return bring_hub(name, progress=progress, cancelled=cancelled)
    return bring_tag(name, progress=progress, cancelled=cancelled)
