"""The sample image of the demo: a drawn scene of four structures, each in its own area."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.scenes.scene import draw

__all__ = ["SAMPLE_CLASSES", "SAMPLE_PROMPTS", "sample_scene"]

SAMPLE_CLASSES = ("nuclei", "filaments", "bacteria", "vesicles")
"""Classes in the sample image."""

SAMPLE_PROMPTS = ("nuclei", "actin filaments", "bacteria", "vesicles")
"""Prompts for the sample image."""

_SEED, _SIDE = 16, 512


def sample_scene() -> NDArray[np.uint8]:
    """Return the sample image, uint8 (512, 512, 3); always the same."""
    return draw(
        _SEED, (_SIDE, _SIDE), classes=SAMPLE_CLASSES, modality="fluorescence", zoom=1.4
    ).image
