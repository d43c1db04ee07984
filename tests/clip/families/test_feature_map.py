"""Trunks that end in the mean of a map, against their slope or one place at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_clip_heatmap.clip.families import adapt


def test_convnext(
    image_tower: Callable[..., Any], images_for: Callable[..., Tensor], oracle: Any
) -> None:
    """With the norm's deviation held, the embedding is linear in the map."""
    visual = image_tower("ConvNeXt-T", torch.float64)
    tower, head = adapt(visual), visual.trunk.head
    images = images_for(tower, 1)
    with oracle.inputs_of([head]) as seen, torch.no_grad():
        visual(images)
    places = seen[0].flatten(2).mT.detach().requires_grad_()
    sigma = (places.detach().mean(dim=1).var(correction=0) + head.norm.eps).sqrt()

    def embedding(x: Tensor) -> Tensor:
        mean = x.mean(dim=1)
        normed = (mean - mean.detach().mean()) / sigma * head.norm.weight + head.norm.bias
        return (normed @ visual.head.proj.weight.mT)[0]

    torch.testing.assert_close(embedding(places), visual(images)[0])
    slope = torch.autograd.functional.jacobian(embedding, places)[:, 0]
    with torch.no_grad():
        oracle.agree(tower, images, visual, torch.einsum("enc,nc->ne", slope, places[0])[None])


def test_convnext_with_an_mlp(
    image_tower: Callable[..., Any], images_for: Callable[..., Tensor], oracle: Any
) -> None:
    """With deviation and GELU's gate held, the embedding is linear in the map."""
    visual = image_tower("ConvNeXt-L-MLP", torch.float64)
    tower, head, mlp = adapt(visual), visual.trunk.head, visual.head.mlp
    images = images_for(tower, 1)
    with oracle.inputs_of([head]) as seen, torch.no_grad():
        visual(images)
    places = seen[0].flatten(2).mT.detach().requires_grad_()
    sigma = (places.detach().mean(dim=1).var(correction=0) + head.norm.eps).sqrt()

    def inner(x: Tensor) -> Tensor:
        mean = x.mean(dim=1)
        centered = mean - mean.mean(dim=-1, keepdim=True)
        return mlp.fc1(centered / sigma * head.norm.weight + head.norm.bias)

    gate = (1 + torch.erf(inner(places.detach()) / 2**0.5)) / 2  # the normal distribution's

    def embedding(x: Tensor) -> Tensor:
        return mlp.fc2(gate * inner(x))[0]

    torch.testing.assert_close(embedding(places), visual(images)[0])
    slope = torch.autograd.functional.jacobian(embedding, places)[:, 0]
    with torch.no_grad():
        oracle.agree(tower, images, visual, torch.einsum("enc,nc->ne", slope, places[0])[None])


@torch.no_grad()
@pytest.mark.parametrize("name", ["MobileCLIP2-S0", "MobileCLIP2-S3", "Swin-B"])
def test_the_mean_of_a_map(
    name: str, image_tower: Callable[..., Any], images_for: Callable[..., Tensor], oracle: Any
) -> None:
    """The head is linear: it gives a place's part for a map that holds that place alone."""
    visual = image_tower(name, torch.float64)
    tower, head = adapt(visual), visual.trunk.head
    images = images_for(tower, 1)
    with oracle.inputs_of([head]) as seen:
        visual(images)
    at = seen[0].movedim(1, 3) if name != "Swin-B" else seen[0]  # [1, y, x, channel]
    rows, columns = at.shape[1:3]
    assert (rows, columns) == tower.grid
    parts = []
    for y, x in np.ndindex(rows, columns):
        alone = torch.zeros_like(at)
        alone[:, y, x] = at[:, y, x]
        alone = alone.movedim(3, 1) if name != "Swin-B" else alone
        parts.append(visual.head(head(alone)) - visual.head(head(torch.zeros_like(alone))))
    oracle.agree(tower, images, visual, torch.stack(parts, dim=1))
