"""The layouts against the transformers library's own models, where it is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from napari_clip_heatmap.clip.loading import load_model

transformers = pytest.importorskip("transformers")

PATCH, END = 8, 2
TEXT = {
    "vocab_size": 101,
    "hidden_size": 32,
    "intermediate_size": 50,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 12,
    "bos_token_id": 0,
    "eos_token_id": END,
}
VISION = {
    "hidden_size": 48,
    "intermediate_size": 100,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "patch_size": PATCH,
}
PROJECTED = {**TEXT, "projection_size": 48}

MODELS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "CLIP": ({**TEXT, "eos_token_id": 100}, {**VISION, "image_size": 24}, {"projection_dim": 20}),
    "MetaClip2": (TEXT, {**VISION, "image_size": 24}, {"projection_dim": 20}),
    "Siglip": (PROJECTED, {**VISION, "image_size": 24}, {}),
    "Siglip2": (PROJECTED, {**VISION, "num_patches": 16}, {}),
}


def numbers(texts: list[str]) -> Tensor:
    """Stand for a tokenizer: start, words, end, filling."""
    row = [0, 17, 40, 41, 9, 77, 100, END, 1, 1, 1, 1]
    return torch.tensor([row for _ in texts])


@torch.no_grad()
def features(output: Any) -> Tensor:
    """Return the vectors; some versions wrap them."""
    found: Tensor = output if isinstance(output, Tensor) else output.pooler_output
    return found


@torch.no_grad()
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_the_same_vectors(name: str, tmp_path: Path) -> None:
    text, vision, more = MODELS[name]
    config = getattr(transformers, f"{name}Config")(text_config=text, vision_config=vision, **more)
    theirs = getattr(transformers, f"{name}Model")(config).eval()
    generator = torch.Generator().manual_seed(3)
    for weight in theirs.parameters():
        weight.normal_(
            std=weight[0].numel() ** -0.5 if weight.ndim > 1 else 0.3, generator=generator
        )
    theirs.save_pretrained(tmp_path)
    pixels = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(pixels))
    ours = load_model(f"local-dir:{tmp_path}", device="cpu", tokenizer=numbers)
    images = torch.randn(2, 3, *ours.image_size, generator=generator)
    inputs = {"pixel_values": images}
    if name == "Siglip2":
        cut = rearrange(images, "b c (y p) (x q) -> b (y x) (p q c)", p=PATCH, q=PATCH)
        inputs = {
            "pixel_values": cut,
            "pixel_attention_mask": torch.ones(cut.shape[:2], dtype=torch.long),
            "spatial_shapes": torch.tensor([ours.grid] * len(cut)),
        }
    expected = features(theirs.get_image_features(**inputs))
    torch.testing.assert_close(ours.token_map(images).representation, expected)
    words = features(theirs.get_text_features(input_ids=numbers(["cell"])))
    torch.testing.assert_close(ours.encode_text(["cell"]), F.normalize(words, dim=-1))
