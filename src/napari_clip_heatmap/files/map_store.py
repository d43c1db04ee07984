"""Maps as an OME-Zarr 0.5 image whose channels are the prompts: its levels, channels and arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["MAP_CHUNK", "create_map_store", "level_transforms", "prompt_channel"]

MAP_CHUNK = 1024
"""Longest side of a chunk along y and x; along other axes a chunk is one plane."""

_RECORD = "clip_heatmap"
"""Attribute that holds what is known of the maps."""


def create_map_store(
    path: Path,
    about: Mapping[str, Any],
    shapes: Sequence[tuple[int, ...]],
    record: Mapping[str, Any],
) -> list[Any]:
    """Make a store with all its levels, still empty, and its metadata.

    Parameters
    ----------
    path : Path
        Of the store; nothing is there yet.
    about : mapping
        The value of the attribute ``ome``.
    shapes : sequence of (*axes, y, x)
        Of the levels, the finest first.
    record : mapping
        What is known of the maps, as JSON values.

    Returns
    -------
    list of zarr.Array
        The levels, float32, to be filled piece by piece.

    Examples
    --------
    >>> finest, coarse = create_map_store(path, about, [(3, 64, 64), (3, 32, 32)], record)
    ... # doctest: +SKIP
    """
    from yaozarrs import v05
    from yaozarrs.write.v05 import prepare_image

    *leading, height, width = shapes[0]
    _, arrays = prepare_image(
        path,
        v05.Image.model_validate(about),
        [(shape, np.dtype(np.float32)) for shape in shapes],
        chunks=(*(1,) * len(leading), min(MAP_CHUNK, height), min(MAP_CHUNK, width)),
        writer="zarr",
        extra_attributes={_RECORD: dict(record)},
    )
    return [arrays[str(level)] for level in range(len(shapes))]


def level_transforms(
    scale: ArrayLike, offset: ArrayLike, full: Sequence[int], now: Sequence[int]
) -> list[dict[str, Any]]:
    """Return where a level lies: the first pixel of a coarser one has its center further in.

    Parameters
    ----------
    scale, offset : float (axis,)
        Size of a pixel of the full image along each axis, and where the center of its first lies.
    full, now : sequence of int
        Shape of the full image, and of the level.

    Examples
    --------
    >>> level_transforms((1.0, 0.5), (0.0, 0.0), (100, 100), (100, 25))
    [{'type': 'scale', 'scale': [1.0, 2.0]}, {'type': 'translation', 'translation': [0.0, 0.75]}]
    """
    size = np.asarray(scale, float)
    steps = size * np.asarray(full) / np.asarray(now)
    first = np.asarray(offset, float) + (steps - size) / 2
    return [
        {"type": "scale", "scale": steps.tolist()},
        {"type": "translation", "translation": first.tolist()},
    ]


def prompt_channel(prompt: str, limits: Sequence[float], *, active: bool) -> dict[str, Any]:
    """Return how viewers show the map of a prompt.

    Parameters
    ----------
    prompt : str
    limits : (low, high)
        Range of its values.
    active : bool
        Whether it is shown at first.

    Examples
    --------
    >>> prompt_channel("nuclei", (0, 1), active=True)["window"]
    {'min': 0.0, 'start': 0.0, 'max': 1.0, 'end': 1.0}
    """
    low, high = map(float, limits)
    return {
        "label": prompt,
        "color": "FFFFFF",
        "active": active,
        "window": {"min": low, "start": low, "max": high, "end": high},
    }
