"""Whole models of each family through the public door: loaded, proven, asked."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from torch import nn

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import DecompositionError

TEXT = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2}


def whole(visual: Any, d_embed: int) -> open_clip.CustomTextCLIP:
    """Return a model with that image tower and a small text tower."""
    native = {"layers": 1, "width": 64, "image_size": 32, "patch_size": 16}
    model = open_clip.CustomTextCLIP(embed_dim=d_embed, vision_cfg=native, text_cfg=TEXT)
    model.visual = copy.deepcopy(visual)
    return model.eval()


@pytest.mark.parametrize(
    ("name", "d_embed"),
    [
        ("BiomedCLIP", 512),
        ("EVA02-E", 1024),
        ("PE-Core-T", 512),
        ("CoCa", 512),
        ("RN50", 1024),
        ("ConvNeXt-T", 64),
        ("ConvNeXt-L-MLP", 64),
        ("MobileCLIP2-S0", 512),
        ("Swin-B", 64),
        ("RelPos", 512),
    ],
)
def test_an_image_larger_than_a_tile(
    name: str, d_embed: int, image_tower: Callable[..., Any]
) -> None:
    visual = image_tower(name)
    model = nch.load_model(whole(visual, d_embed), device="cpu")
    height, width = model.image_size
    image = np.random.default_rng(0).random((height + 40, 2 * width + 7, 3), np.float32)
    maps = nch.encode(model, image).heatmaps(["nuclei", "filaments"], score="absolute")
    assert maps.values.shape == (2, *image.shape[:2])
    assert np.isfinite(maps.values).all()
    assert np.ptp(maps.values[0]) > 0
    tile = model.preprocess(image[None, :height, :width])
    parts = nch.decompose(model, tile)
    by_patch = parts.attention.sum(dim=(1, 3))[:, 1:].unflatten(1, model.grid)
    torch.testing.assert_close(by_patch, nch.token_map(model, tile), atol=1e-6, rtol=1e-5)


class Surprise(nn.Module):
    """Does a little more than the attention that it stands for."""

    def __init__(self, attn: Any) -> None:
        super().__init__()
        self.__dict__.update(attn.__dict__)

    def forward(self, x: torch.Tensor, **options: Any) -> torch.Tensor:
        return self.proj(self.qkv(x)[..., : x.shape[-1]])


def test_the_check_at_loading_notices_what_the_adapter_cannot(
    image_tower: Callable[..., Any],
) -> None:
    model = whole(image_tower("BiomedCLIP"), 512)
    block = model.visual.trunk.blocks[0]
    block.attn = type("Attention", (Surprise,), {})(block.attn)
    with pytest.raises(DecompositionError, match="do not sum"):
        nch.load_model(model, device="cpu")
