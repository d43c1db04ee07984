"""Shapes of image and text towers that were tried, by name; the first is the bundled one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from open_clip.transformer import VisionTransformer
from torch import nn

__all__ = ["CONFIGURATIONS", "OVERLAPPING_STEM", "configuration", "widen_stem"]

_TEXT = {"context_length": 32, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 2}


def _model(
    *, side: int = 96, patch: int = 8, width: int = 192, layers: int = 5, heads: int = 8
) -> dict[str, Any]:
    vision = {
        "image_size": side,
        "patch_size": patch,
        "width": width,
        "head_width": width // heads,
        "layers": layers,
    }
    return {"embed_dim": 128, "vision_cfg": vision, "text_cfg": dict(_TEXT)}


# A head of 24 dimensions has places for 12 rows of patches at right angles: the larger view, of 16
# rows, is best started from a model that was trained before.
CONFIGURATIONS: Mapping[str, dict[str, Any]] = {
    "base": _model(),
    "larger-view": _model(side=128),
    "large-input": _model(side=128, width=256, layers=3),
    "shallow-wide": _model(width=256, layers=3),
    "wide": _model(width=256),
    "fine-patch": _model(side=72, patch=6),
    "coarse-patch": _model(side=192, patch=16, width=384),
    "overlapping-stem": _model(),
}
"""Name -> what open_clip reads as ``model_cfg``."""

OVERLAPPING_STEM = "overlapping-stem"
"""Its patches see 16 pixels every 8. A ``model_cfg`` cannot say so: it serves trials only."""


def configuration(name: str) -> dict[str, Any]:
    """Return a shape by name.

    Raises
    ------
    ValueError
        There is none of that name.
    """
    if name not in CONFIGURATIONS:
        msg = f"There is no configuration {name!r}; there are {', '.join(CONFIGURATIONS)}."
        raise ValueError(msg)
    return CONFIGURATIONS[name]


def widen_stem(tower: VisionTransformer) -> None:
    """Let each patch see its neighbors' halves too: a kernel twice as wide at the same stride.

    What the tower computes is the same until it learns: the new weights are 0.
    """
    narrow = tower.conv1
    height, width = tower.patch_size
    wide = nn.Conv2d(
        narrow.in_channels,
        narrow.out_channels,
        (2 * height, 2 * width),
        stride=(height, width),
        padding=(height // 2, width // 2),
        bias=False,
    )
    with torch.no_grad():
        wide.weight.zero_()
        inner = wide.weight[:, :, height // 2 : -height // 2, width // 2 : -width // 2]
        inner.copy_(narrow.weight)
    tower.conv1 = wide
