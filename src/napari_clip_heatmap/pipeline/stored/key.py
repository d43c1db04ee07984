"""Name an encoding by all that it depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.content import content_of
from napari_clip_heatmap.imaging.lattice import Lattice
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.storage.zarr_file import digest
from napari_clip_heatmap.pipeline.storage.records import lattice_record

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

__all__ = ["Pixels", "key_of", "pixels_of"]

METHOD = 1
"""Raised when the same image, view, model and lattice come to give other numbers."""


Pixels = list[list[dict[str, object]]]
"""What names the pixels of each channel."""


def pixels_of(channels: Sequence[Channel]) -> Pixels | None:
    """Read what names the pixels of an image; None where nothing does.

    Raises
    ------
    Exception
        Whatever reading the pixels raises.
    """
    contents = []
    for channel in channels:
        content = content_of(channel)
        if content is None:
            return None
        contents.append(content)
    return contents


def key_of(
    pixels: Pixels, model: ClipModel, channels: Sequence[Channel], view: View, lattice: Lattice
) -> str:
    """Return a name that another encoding has another of.

    It holds the pixels, how they are shown, the resolution and tiling, and all that the model says
    of itself: its weights, preprocessing, precision, device and the versions it runs in.

    A region is no part of it: tiles are the same for all regions.
    """
    several = len(channels) > 1
    return digest(
        {
            "method": METHOD,
            "pixels": pixels,
            "shown": [_shown(channel, view, several=several) for channel in channels],
            "view": asdict(view),
            "lattice": lattice_record(lattice),
            "model": model.describe(),
        }
    )


def _shown(channel: Channel, view: View, *, several: bool) -> list[Any]:
    """Return what of a channel's own look counts in a view."""
    lut = None if channel.lut is None else np.asarray(channel.lut, np.float32).tolist()
    if view.mode != "shown":
        return [lut if several else None]
    limits = channel.limits and [float(limit) for limit in channel.limits]
    return [limits, float(channel.gamma), lut]
