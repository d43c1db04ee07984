"""Whether a map is faithful: do the patches that it puts first carry the model's answer.

Deletion and insertion against other ways to make a map, and contributions against actual effects.
"""

from __future__ import annotations

from napari_clip_heatmap.evaluation.faithfulness.faithfulness_report import FaithfulnessReport
from napari_clip_heatmap.evaluation.faithfulness.map_methods import FAITHFULNESS_METHODS, METHODS
from napari_clip_heatmap.evaluation.faithfulness.measure import measure_faithfulness
from napari_clip_heatmap.evaluation.faithfulness.stimuli import (
    Stimulus,
    draw_stimuli,
    read_stimuli,
)

__all__ = [
    "FAITHFULNESS_METHODS",
    "METHODS",
    "FaithfulnessReport",
    "Stimulus",
    "draw_stimuli",
    "measure_faithfulness",
    "read_stimuli",
]
