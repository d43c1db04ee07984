"""Towers that a latent query pools, against attention written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from napari_clip_heatmap.clip.families import adapt


@torch.no_grad()
@pytest.mark.parametrize("name", ["SigLIP-B", "SigLIP2-gopt", "SigLIP2-NaFlex", "PE-Core-T"])
def test_attention_pooling(
    name: str, image_tower: Callable[..., Any], images_for: Callable[..., Tensor], oracle: Any
) -> None:
    visual = image_tower(name, torch.float64)
    tower, pool = adapt(visual), visual.trunk.attn_pool
    images = images_for(tower, 1)
    with oracle.inputs_of([pool]) as seen:
        visual(images)
    key, value = pool.kv(seen[0]).chunk(2, dim=-1)
    terms = (
        oracle.by_token(pool.q(pool.latent), key, value, pool.num_heads)[:, 0] @ pool.proj.weight.mT
    )
    head = visual.trunk.head
    oracle.agree(
        tower, images, visual, terms if isinstance(head, nn.Identity) else terms @ head.weight.mT
    )
