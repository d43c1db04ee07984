"""Shared by all tests: a small random CLIP, as open_clip makes it and as the package loads it."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.clip.model import ClipModel

TINY = {
    "embed_dim": 24,
    "vision_cfg": {
        "image_size": 32,
        "patch_size": 8,
        "layers": 3,
        "width": 32,
        "head_width": 8,
    },
    "text_cfg": {
        "context_length": 16,
        "vocab_size": 49408,
        "width": 16,
        "heads": 2,
        "layers": 2,
    },
}


def make_clip(seed: int = 0, **vision: object) -> open_clip.CLIP:
    """A random CLIP in which no bias, gain or shift is at its trivial start value."""
    config = copy.deepcopy(TINY)
    config["vision_cfg"].update(vision)
    generator = torch.Generator().manual_seed(seed)
    model = open_clip.CLIP(**config).eval()
    with torch.no_grad():
        for name, weight in model.state_dict().items():
            fan = weight.shape[-1] if weight.ndim > 1 else 1
            noise = torch.randn(weight.shape, generator=generator) * (0.8 / fan**0.5)
            if name == "logit_scale":
                continue
            gain = weight.ndim == 1 and name.endswith("weight")
            weight.copy_(1 + 0.3 * noise if gain else noise)
    return model


@pytest.fixture(scope="session")
def tiny_clip() -> open_clip.CLIP:
    """A stock open_clip model with random weights: 3 layers, 4 heads, patch 8 at 32 px."""
    return make_clip()


@pytest.fixture(scope="session")
def tiny_model(tiny_clip: open_clip.CLIP) -> ClipModel:
    return load_model(tiny_clip, device="cpu")


@pytest.fixture(scope="session")
def tiny_folder(tiny_clip: open_clip.CLIP, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tiny_clip` as a model folder."""
    folder = tmp_path_factory.mktemp("tiny")
    config = {"model_cfg": TINY, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    weights = {name: value.contiguous() for name, value in tiny_clip.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    return folder
