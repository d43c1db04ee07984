"""Does a heatmap lie on what its prompt names? Measured where the truth is known."""

from __future__ import annotations

from napari_clip_heatmap.evaluation.evaluate import evaluate_model
from napari_clip_heatmap.evaluation.report import Report

__all__ = ["Report", "evaluate_model"]
