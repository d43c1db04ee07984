"""Public segmentation tables, on the user's own copy of the data."""

from __future__ import annotations

from napari_clip_heatmap.evaluation.benchmarks.benchmark_report import BenchmarkReport
from napari_clip_heatmap.evaluation.benchmarks.imagenet_segmentation import (
    run_imagenet_segmentation,
)
from napari_clip_heatmap.evaluation.benchmarks.voc21 import run_voc21

__all__ = ["BenchmarkReport", "run_imagenet_segmentation", "run_voc21"]
