"""Tiles for a small random model, and its stock parts to check against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_clip_heatmap.clip.model import ClipModel


@pytest.fixture(scope="session")
def tiles() -> np.ndarray:
    """Two noisy tiles of the small model's size, float32 in 0..1."""
    return np.random.default_rng(0).random((2, 32, 32, 3)).astype(np.float32)


@pytest.fixture(scope="session")
def directions(tiny_model: ClipModel) -> Tensor:
    """A unit direction for each of the tiles."""
    return tiny_model.encode_text(["nuclei", "rods"])


@pytest.fixture
def one_head(make_clip: Callable[..., Any]) -> Any:
    """A stock model with one layer of one head."""
    return make_clip(3, layers=1, width=8, head_width=8)


@pytest.fixture(scope="session")
def stock_streams() -> Callable[[Any, Tensor], list[Tensor]]:
    """Return what each block of a stock transformer reads, then what the last one leaves."""

    def streams(visual: Any, batch: Tensor) -> list[Tensor]:
        seen: list[Tensor] = []
        hooks = [
            block.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
            for block in visual.transformer.resblocks
        ]
        last = visual.transformer.resblocks[-1].register_forward_hook(
            lambda _, args, out: seen.append(out)
        )
        with torch.no_grad():
            visual(batch)
        for hook in (*hooks, last):
            hook.remove()
        return seen

    return streams


@pytest.fixture(scope="session")
def stock_projections() -> Callable[[Any, Tensor], tuple[Tensor, Tensor, Tensor]]:
    """Return query, key and value of a stock block, each [batch, head, token, d_head]."""

    def project(block: Any, stream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        attn = block.attn
        joint = block.ln_1(stream) @ attn.in_proj_weight.T + attn.in_proj_bias
        batch, n_tokens, _ = stream.shape
        split = joint.reshape(batch, n_tokens, 3, attn.num_heads, -1).permute(2, 0, 3, 1, 4)
        return split[0], split[1], split[2]

    return project
