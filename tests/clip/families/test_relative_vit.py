"""Relative positions, of each block and shared, against every layer and token, one by one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from napari_clip_heatmap.clip.families import adapt, resized
from napari_clip_heatmap.errors import UnsupportedModelError

POOLED = {
    "RelPos": "token",
    "RelPos, norms after": "norm, then mean",
    "RelPos, shared": "norm, then mean",
}
"""Name in the tests: how the embedding is pooled."""


@torch.no_grad()
@pytest.mark.parametrize("name", POOLED)
def test_every_layer_and_token(
    name: str, image_tower: Callable[..., Any], images_for: Callable[..., Tensor], oracle: Any
) -> None:
    visual = image_tower(name, torch.float64)
    tower = adapt(visual)
    oracle.check_timm(visual, tower, images_for(tower, 1), POOLED[name])


@torch.no_grad()
def test_the_positions_matter(
    image_tower: Callable[..., Any], images_for: Callable[..., Tensor]
) -> None:
    """Were the bias left out on both sides, the comparison above would not notice."""
    visual = copy.deepcopy(image_tower("RelPos"))
    images = images_for(adapt(visual))
    before = visual(images)
    for block in visual.trunk.blocks:
        for weight in block.attn.rel_pos.parameters():
            weight.zero_()
    assert (visual(images) - before).norm() > 0.01 * before.norm()


def test_an_older_timm_is_told_of(
    image_tower: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    visual = image_tower("RelPos")
    monkeypatch.delattr(type(visual.trunk), "set_input_size", raising=False)
    with pytest.raises(UnsupportedModelError, match="pip install -U timm"):
        resized(visual, (64, 64))
