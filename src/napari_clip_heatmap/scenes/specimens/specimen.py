"""A drawn specimen and what it shows; the list of the kinds there are."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_clip_heatmap.errors import SceneError
from napari_clip_heatmap.scenes.disturbances import disturb

__all__ = ["SPECIMENS", "Drawing", "Specimen", "draw_specimen"]

_SMALLEST = 16


class Drawing(NamedTuple):
    """What a kind of specimen draws: light before the camera, and where each class is.

    Attributes
    ----------
    light : ndarray (y, x, 3) float32
        0..1.
    masks : dict of str to ndarray (y, x) bool
    modality : str
        Kind of microscopy.
    """

    light: NDArray[np.float32]
    masks: dict[str, NDArray[np.bool_]]
    modality: str


class Specimen(NamedTuple):
    """A drawn specimen.

    Attributes
    ----------
    image : ndarray (y, x, 3) uint8
    masks : mapping of str to ndarray (y, x) bool
        The pixels of each class that was drawn.
    modality : str
        Kind of microscopy, such as "EM".
    kind : str
        Out of `SPECIMENS`.
    """

    image: NDArray[np.uint8]
    masks: Mapping[str, NDArray[np.bool_]]
    modality: str
    kind: str


SPECIMENS: Mapping[str, str] = {
    "cells with mitochondria": "cell_interiors",
    "dividing cells": "cell_division",
    "electron micrograph": "electron_micrograph",
    "phase contrast": "phase_contrast",
    "gram stain": "gram_stain",
    "droplets": "droplets",
}
"""Kind of specimen -> the module that draws it, with a function ``draw_MODULE``."""


def draw_specimen(
    seed: int, size: tuple[int, int] = (256, 256), *, kind: str | None = None
) -> Specimen:
    """Draw one specimen; the same arguments give the same picture.

    Parameters
    ----------
    seed : int
    size : (int, int)
        Height and width in pixels, at least 16 each.
    kind : str, optional
        Out of `SPECIMENS`; by default any of them.

    Raises
    ------
    SceneError
        The kind is unknown, or the size is too small.

    Examples
    --------
    >>> specimen = draw_specimen(3, (64, 64), kind="gram stain")
    >>> specimen.image.shape, specimen.modality
    ((64, 64, 3), 'gram')
    """
    if min(size) < _SMALLEST:
        raise SceneError(
            f"a specimen of {size[0]} x {size[1]} pixels; the smallest is {_SMALLEST} x {_SMALLEST}"
        )
    if kind is not None and kind not in SPECIMENS:
        raise SceneError(f"specimen {kind!r} is unknown; accepted: {', '.join(SPECIMENS)}")
    rng = np.random.default_rng(seed)
    chosen = kind or str(rng.choice(list(SPECIMENS)))
    name = SPECIMENS[chosen]
    module = importlib.import_module(f"{__package__}.{name}")
    drawer: Callable[[np.random.Generator, tuple[int, int]], Drawing]
    drawer = getattr(module, f"draw_{name}")
    light, masks, modality = drawer(rng, size)
    shown = {name: mask for name, mask in masks.items() if mask.any()}
    return Specimen(disturb(rng, light), shown, modality, chosen)
