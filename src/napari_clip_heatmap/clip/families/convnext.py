"""timm's ConvNeXt: exact at the places of the final feature map.

The embedding is ``P LN(mean_n x_n)``, or ``MLP(LN(mean_n x_n))`` with the MLP's gates held at their
actual values.
"""

from __future__ import annotations

from typing import Any

from timm.models.convnext import ConvNeXt

from napari_clip_heatmap.clip.families._feature_map import feature_map_tower
from napari_clip_heatmap.clip.families._resizing import resize_any_size
from napari_clip_heatmap.clip.families._trunk import timm_trunk
from napari_clip_heatmap.core.tower import Tower

__all__ = ["adapt", "resize"]

resize = resize_any_size


def adapt(visual: Any) -> Tower | None:
    """Return the tower, or None where `visual` is no ConvNeXt."""
    if timm_trunk(visual, ConvNeXt) is None:
        return None
    return feature_map_tower(visual, "convnext", "ConvNeXt")
