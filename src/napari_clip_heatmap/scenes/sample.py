"""The picture that the demo opens: one drawn scene with every structure a cell biologist knows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.scenes.scene import draw

__all__ = ["SAMPLE_PROMPTS", "sample_scene"]

SAMPLE_PROMPTS = ("nuclei", "actin filaments", "mitochondria", "bacteria")
"""What to ask the sample picture."""

_SEED, _SIDE = 20, 512


def sample_scene() -> NDArray[np.uint8]:
    """Return the sample picture, ``(512, 512, 3)`` uint8; always the same."""
    classes = ("nuclei", "filaments", "mitochondria", "bacteria")
    return draw(_SEED, (_SIDE, _SIDE), classes=classes, modality="fluorescence", zoom=1.5).image
