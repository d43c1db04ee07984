"""Examples against words: clicks are simulated where the truth is known."""

from __future__ import annotations

from napari_clip_heatmap.evaluation.clicks.click_report import ClickReport, measure_examples

__all__ = ["ClickReport", "measure_examples"]
