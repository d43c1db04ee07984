"""CoCa's attentional pooling, on its own trunk and on timm's, against attention written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from napari_clip_heatmap.clip.families import adapt


@torch.no_grad()
@pytest.mark.parametrize("name", ["CoCa", "CONCH"])
def test_coca(
    name: str, image_tower: Callable[..., Any], images_for: Callable[..., Tensor], oracle: Any
) -> None:
    visual = image_tower(name, torch.float64)
    tower, pooler = adapt(visual), visual.attn_pool
    images = images_for(tower, 1)
    with oracle.inputs_of([pooler]) as seen:
        visual(images)
    tokens, attn = pooler.ln_k(seen[0]), pooler.attn
    bias = attn.in_proj_bias.chunk(3)
    query = pooler.ln_q(pooler.query)[None] @ attn.q_proj_weight.mT + bias[0]
    key, value = tokens @ attn.k_proj_weight.mT + bias[1], tokens @ attn.v_proj_weight.mT + bias[2]
    terms = oracle.by_token(query, key, value, attn.num_heads)[:, 0] @ attn.out_proj.weight.mT
    terms = oracle.divided(visual.ln_post, terms, pooler(seen[0])[:, 0])
    oracle.agree(tower, images, visual, terms @ visual.proj)
