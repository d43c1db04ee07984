"""The picture that the demo opens: a drawn scene of four structures, each in a place of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.scenes.scene import draw

__all__ = ["SAMPLE_CLASSES", "SAMPLE_PROMPTS", "sample_scene"]

SAMPLE_CLASSES = ("nuclei", "filaments", "bacteria", "vesicles")
"""What the sample picture shows."""

SAMPLE_PROMPTS = ("nuclei", "actin filaments", "bacteria", "vesicles")
"""What to ask the sample picture."""

_SEED, _SIDE = 16, 512


def sample_scene() -> NDArray[np.uint8]:
    """Return the sample picture, ``(512, 512, 3)`` uint8; always the same."""
    return draw(
        _SEED, (_SIDE, _SIDE), classes=SAMPLE_CLASSES, modality="fluorescence", zoom=1.4
    ).image
