"""Drawn specimens beyond the scenes: one kind a file, for the training of the bundled model."""

from __future__ import annotations

from napari_clip_heatmap.scenes.specimens.specimen import SPECIMENS, Specimen, draw_specimen

__all__ = ["SPECIMENS", "Specimen", "draw_specimen"]
