"""Drawn micrographs with true masks, from a seed."""

from __future__ import annotations

from napari_clip_heatmap.scenes.sample import SAMPLE_CLASSES, SAMPLE_PROMPTS, sample_scene
from napari_clip_heatmap.scenes.scene import Modality, Scene, draw
from napari_clip_heatmap.scenes.vocabulary import CLASSES, NAMES

__all__ = [
    "CLASSES",
    "NAMES",
    "SAMPLE_CLASSES",
    "SAMPLE_PROMPTS",
    "Modality",
    "Scene",
    "draw",
    "sample_scene",
]
