"""The starting point looks where it is meant to look."""

from __future__ import annotations

import torch
from einops import rearrange
from torch.nn import functional as F
from training.export import MODEL_CONFIG, TextIds
from training.initial import initialise


def test_heads_of_the_first_layer_look_at_one_neighbor_each() -> None:
    torch.manual_seed(0)
    tower = TextIds(32).compact_clip(MODEL_CONFIG).eval().visual
    side = MODEL_CONFIG["vision_cfg"]["image_size"]
    images = torch.rand(40, 3, side, side)
    initialise(tower, images)
    block = tower.transformer.resblocks[0]
    with torch.no_grad():
        stream = block.ln_1(tower.ln_pre(tower._embeds(images[:2])))
        joint = F.linear(stream, block.attn.in_proj_weight, block.attn.in_proj_bias)
        query, key, _ = rearrange(
            joint,
            "batch token (three head d) -> three batch head token d",
            three=3,
            head=block.attn.num_heads,
        )
        weights = (query @ key.mT * query.shape[-1] ** -0.5).softmax(-1)[:, :, 1:, 1:]
    rows, columns = tower.grid_size
    middle = (rows // 2) * columns + columns // 2
    seen = weights[:, :, middle].mean(0).argmax(-1)
    steps = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    assert seen.tolist() == [middle + y * columns + x for y, x in steps]
    assert weights[:, :, middle].mean(0).amax(-1).min() > 0.5
