"""The ResNet against its slope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from napari_clip_heatmap.clip.families import adapt


def test_resnet(
    image_tower: Callable[..., Any], images_for: Callable[..., Tensor], oracle: Any
) -> None:
    """With attention held, the embedding is linear in the map: slope times map, by place."""
    visual = image_tower("RN50", torch.float64)
    tower, pool = adapt(visual), visual.attnpool
    images = images_for(tower, 1)
    with oracle.inputs_of([pool]) as seen, torch.no_grad():
        visual(images)
    places = seen[0].flatten(2).mT.detach().requires_grad_()

    def tokens(x: Tensor) -> Tensor:
        return torch.cat([x.mean(dim=1, keepdim=True), x], dim=1) + pool.positional_embedding

    with torch.no_grad():
        query, key = (
            p(tokens(places)).unflatten(-1, (pool.num_heads, -1)).transpose(1, 2)
            for p in (pool.q_proj, pool.k_proj)
        )
        attention = (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1)[:, :, 0]

    def embedding(x: Tensor) -> Tensor:
        values = pool.v_proj(tokens(x)).unflatten(-1, (pool.num_heads, -1))
        return pool.c_proj(torch.einsum("bhn,bnhd->bhd", attention, values).flatten(1))[0]

    torch.testing.assert_close(embedding(places), visual(images)[0])
    slope = torch.autograd.functional.jacobian(embedding, places)[:, 0]  # [d_embed, place, channel]
    content = torch.einsum("enc,nc->ne", slope, places[0])
    at = pool.v_proj(pool.positional_embedding).unflatten(-1, (pool.num_heads, -1))
    position = torch.einsum("hn,nhd->nhd", attention[0], at).flatten(1) @ pool.c_proj.weight.mT
    with torch.no_grad():
        oracle.agree(tower, images, visual, (content + position[1:])[None])
