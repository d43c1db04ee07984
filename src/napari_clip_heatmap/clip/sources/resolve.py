"""From the name of a model, as a user writes it, to the way it is loaded."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from napari_clip_heatmap.clip.sources.checkpoint import WEIGHT_SUFFIXES
from napari_clip_heatmap.clip.sources.local import load_file
from napari_clip_heatmap.clip.folder import load_folder
from napari_clip_heatmap.clip.hub import HUB, load_hub
from napari_clip_heatmap.clip.sources.open_clip_registry import load_tag
from napari_clip_heatmap.clip.sources.normalization import Normalisation, Source

__all__ = ["DEMO", "LOCAL", "named_source"]

DEMO = "demo"
"""Name of the bundled model."""

LOCAL = "local-dir:"
"""What begins the name of a model in a folder, or a file, of the user's."""


def named_source(name: str, normalisation: Normalisation | None = None) -> Source:
    """Load the model of that name.

    Parameters
    ----------
    name : str
        "demo"; "ARCH/TAG"; "hf-hub:ORG/NAME"; "local-dir:PATH"; the path of a file of weights,
        or "ARCH/TAG@PATH" or "ARCH@PATH" where the file does not say what belongs to it.
    normalisation : Normalisation, optional
        Instead of what the model's own files say.

    Raises
    ------
    ModelLoadError
        There is no such model, or it cannot be read.
    UnsupportedModelError
        Its image tower cannot be decomposed.
    """
    if name == DEMO:
        return load_folder(Path(str(files("napari_clip_heatmap") / DEMO)), DEMO, normalisation)
    if name.startswith(HUB):
        return load_hub(name, normalisation)
    if name.startswith(LOCAL):
        path = Path(name.removeprefix(LOCAL)).expanduser()
        return (load_file if path.is_file() else load_folder)(path, name, normalisation)
    path = Path(name).expanduser()
    like, at, rest = ("", "", "") if path.is_file() else name.partition("@")
    if at and rest:
        return load_file(Path(rest).expanduser(), name, normalisation, like=like)
    if path.suffix in WEIGHT_SUFFIXES:
        return load_file(path, name, normalisation)
    return load_tag(name, normalisation)
