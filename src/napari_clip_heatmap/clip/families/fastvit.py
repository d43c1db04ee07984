"""timm's FastViT (MobileCLIP-S, MobileCLIP2-S): exact at the places of the final feature map.

The last convolution mixes places and channels and has an activation, so nothing before it can be
split further: the map after it is the tower's one layer, and the embedding is the linear projection
of its mean. Positions are convolutions, so the tower takes images of any size.
"""

from __future__ import annotations

from typing import Any

from timm.models.fastvit import FastVit

from napari_clip_heatmap.clip.families._feature_map import feature_map_tower
from napari_clip_heatmap.clip.families._resizing import resize_any_size
from napari_clip_heatmap.clip.families._trunk import timm_trunk
from napari_clip_heatmap.core.tower import Tower

__all__ = ["adapt", "resize"]

resize = resize_any_size


def adapt(visual: Any) -> Tower | None:
    """Return the tower, or None where `visual` is no FastViT."""
    trunk = timm_trunk(visual, FastVit)
    if trunk is None or trunk.fork_feat:  # several maps instead of a head
        return None
    return feature_map_tower(visual, "fastvit", "FastViT")
