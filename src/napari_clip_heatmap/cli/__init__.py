"""The command ``clip-heatmap``."""

from __future__ import annotations

from napari_clip_heatmap.cli.application import app, main

__all__ = ["app", "main"]
