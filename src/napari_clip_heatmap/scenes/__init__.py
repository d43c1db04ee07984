"""Drawn micrographs: pictures, truth and captions, from a seed."""

from __future__ import annotations

from napari_clip_heatmap.scenes.scene import Modality, Scene, draw
from napari_clip_heatmap.scenes.vocabulary import CLASSES, NAMES

__all__ = ["CLASSES", "NAMES", "Modality", "Scene", "draw"]
