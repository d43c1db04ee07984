"""Drawn sample images of the demo and the tutorials: always the same, and nothing to download."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.imaging.opencv import cv2
from napari_clip_heatmap.scenes.scene import draw

__all__ = [
    "CHANNEL_CLASSES",
    "CHANNEL_NAMES",
    "SAMPLE_CLASSES",
    "SAMPLE_PIXEL_SIZE",
    "SAMPLE_PROMPTS",
    "SMEAR_PROMPTS",
    "sample_channels",
    "sample_scene",
    "sample_slide",
    "sample_smears",
    "sample_stack",
    "sample_timelapse",
]

SAMPLE_CLASSES = ("nuclei", "filaments", "bacteria", "vesicles")
"""Classes in the sample scene."""

SAMPLE_PROMPTS = ("nuclei", "actin filaments", "bacteria", "vesicles")
"""Prompts for the sample scene."""

SMEAR_PROMPTS = ("red blood cells", "white blood cells", "platelets")
"""Prompts for the blood smears."""

CHANNEL_CLASSES = ("nuclei", "mitochondria", "filaments")
"""What each channel of the channel image shows."""

CHANNEL_NAMES = ("DAPI", "TOM20", "phalloidin")
"""The stains that would show it."""

SAMPLE_PIXEL_SIZE = 0.2
"""Micrometers a pixel of all samples; a drawn nucleus is then about as large as a real one."""

_SEED, _SIDE = 16, 512
_CHANNEL_SEEDS = (25, 24, 25)
_SMEAR_SEEDS = (22, 26, 27)
_DEPTHS = (1.0, 5.0)
_DARK, _BRIGHT = 100, 4000
"""Counts of a 12-bit camera without light, and at the brightest place."""


def sample_scene() -> NDArray[np.uint8]:
    """Return four structures, each in its own area, uint8 (512, 512, 3)."""
    return draw(
        _SEED, (_SIDE, _SIDE), classes=SAMPLE_CLASSES, modality="fluorescence", zoom=1.4
    ).image


def sample_channels() -> NDArray[np.uint16]:
    """Return nuclei, mitochondria and filaments as a camera sees them, uint16 (3, 512, 512)."""
    channels = zip(_CHANNEL_SEEDS, CHANNEL_CLASSES, strict=True)
    return np.stack([_counts(_signal(seed, name)) for seed, name in channels])


def sample_stack() -> NDArray[np.uint16]:
    """Return a z-stack, uint16 (7, 384, 384): nuclei in focus in plane 1, filaments in plane 5."""
    layers = [_signal(25, name)[:384, :384] for name in ("nuclei", "filaments")]
    planes = []
    for z in range(7):
        blurred = (
            cv2.GaussianBlur(layer, (0, 0), 0.5 + 2.5 * abs(z - depth))
            for layer, depth in zip(layers, _DEPTHS, strict=True)
        )
        planes.append(_counts(np.clip(sum(blurred), 0, 1)))
    return np.stack(planes)


def sample_timelapse() -> NDArray[np.uint16]:
    """Return a time-lapse, uint16 (6, 256, 256): nuclei drift through the field of view."""
    field = _counts(_signal(21, "nuclei"))
    return np.stack([field[24 * t : 24 * t + 256, 40 * t : 40 * t + 256] for t in range(6)])


def sample_smears() -> list[NDArray[np.uint8]]:
    """Return three stained blood smears, uint8 (384, 384, 3) each."""
    smears = (draw(s, (384, 384), classes=SMEAR_PROMPTS, zoom=0.8) for s in _SMEAR_SEEDS)
    return [smear.image for smear in smears]


def sample_slide() -> NDArray[np.uint8]:
    """Return a small slide, uint8 (1024, 1536, 3): stained tissue in the middle of empty glass."""
    slide = np.full((1024, 1536, 3), 242, np.uint8)
    scene = draw(30, (512, 512), classes=("nuclei",), modality="brightfield", zoom=0.8).image
    y, x = np.ogrid[-1:1:512j, -1:1:512j]
    inside = x**2 + y**2 < 0.9
    for left in (200, 800):
        part = slide[256:768, left : left + 512]
        part[inside] = scene[inside]
    return slide


def _signal(seed: int, name: str) -> NDArray[np.float32]:
    """Draw one class alone, as one channel of 0 to 1."""
    scene = draw(seed, (_SIDE, _SIDE), classes=(name,), modality="fluorescence", zoom=1.2)
    signal: NDArray[np.float32] = scene.image.max(-1) / np.float32(255)
    return signal


def _counts(signal: NDArray[np.float32]) -> NDArray[np.uint16]:
    return np.round(_DARK + signal * (_BRIGHT - _DARK)).astype(np.uint16)
