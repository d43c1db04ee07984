"""timm's Swin transformer: exact at the places of the final feature map.

Its windows hold no token that all others are pooled into: the embedding is the linear projection of
the mean of the last map, each place of which is normalized by itself before the mean is taken.
"""

from __future__ import annotations

from typing import Any

import torch
from timm.models.swin_transformer import SwinTransformer

from napari_clip_heatmap.clip.families._feature_map import NHWC, feature_map_tower
from napari_clip_heatmap.clip.families._resizing import copy_sharing_weights
from napari_clip_heatmap.clip.families._trunk import timm_trunk
from napari_clip_heatmap.core.tower import Tower
from napari_clip_heatmap.errors import UnsupportedModelError

__all__ = ["adapt", "resize"]


def adapt(visual: Any) -> Tower | None:
    """Return the tower, or None where `visual` is no Swin transformer."""
    if timm_trunk(visual, SwinTransformer) is None:
        return None
    return feature_map_tower(visual, "swin", "Swin transformer", layout=NHWC)


def resize(visual: Any, image_size: tuple[int, int]) -> Any:
    """Return the same transformer for images of another size; its windows stay as they are.

    Raises
    ------
    UnsupportedModelError
        The last map would be smaller than a window, and the tables of relative positions no longer
        those that were trained.
    """
    window = visual.trunk.layers[0].blocks[0].window_size
    smallest = tuple(side * visual.trunk.feature_info[-1]["reduction"] for side in window)
    if any(side < least for side, least in zip(image_size, smallest, strict=True)):
        raise UnsupportedModelError(
            f"This Swin transformer attends in windows of {window} places, so it takes images of "
            f"at least {smallest} pixels; got image_size {image_size}."
        )
    visual = copy_sharing_weights(visual)
    with torch.device(next(visual.parameters()).device):
        visual.trunk.set_input_size(image_size, window_size=window)
    visual.image_size = image_size
    return visual
