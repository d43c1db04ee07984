"""EVA transformers, with norms before and after, against every layer and token, one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from napari_clip_heatmap.clip.families import adapt

POOLED = {"EVA01-g": "token", "EVA02-B": "token", "EVA02-E": "token"}
"""Name in the tests: how the embedding is pooled."""


@torch.no_grad()
@pytest.mark.parametrize("name", POOLED)
def test_every_layer_and_token(
    name: str, image_tower: Callable[..., Any], images_for: Callable[..., Tensor], oracle: Any
) -> None:
    visual = image_tower(name, torch.float64)
    tower = adapt(visual)
    oracle.check_timm(visual, tower, images_for(tower, 1), POOLED[name])
