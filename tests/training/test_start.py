"""A run that goes on from a model has its image tower and stays near its directions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from training.configurations import configuration
from training.export import MODEL_CONFIG, TextIds
from training.start import adopt_image_tower, text_anchor

import napari_clip_heatmap as nch

DEMO = Path(nch.__file__).parent / "demo"


def test_the_image_tower_is_the_models() -> None:
    clip = TextIds(32).compact_clip(MODEL_CONFIG).eval()
    adopt_image_tower(clip.visual, DEMO)
    image = torch.rand(1, 3, 96, 96)
    model = nch.load_model(f"local-dir:{DEMO}", device="cpu", precision="fp32")
    with torch.no_grad():
        found = F.normalize(clip.encode_image(image), dim=-1)
    expected = nch.decompose(model, image).representation
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_positions_are_stretched_over_more_patches() -> None:
    larger = {**MODEL_CONFIG, "vision_cfg": {**MODEL_CONFIG["vision_cfg"], "image_size": 128}}
    tower = TextIds(32).compact_clip(larger).visual
    adopt_image_tower(tower, DEMO)
    grid = tower.positional_embedding[1:].reshape(16, 16, -1)
    small = TextIds(32).compact_clip(MODEL_CONFIG).visual
    adopt_image_tower(small, DEMO)
    original = small.positional_embedding[1:].reshape(12, 12, -1)
    torch.testing.assert_close(grid.mean((0, 1)), original.mean((0, 1)), atol=0.02, rtol=0)


def test_another_shape_is_refused() -> None:
    tower = TextIds(32).compact_clip(configuration("shallow-wide")).visual
    with pytest.raises(ValueError, match="another image tower"):
        adopt_image_tower(tower, DEMO)


def test_only_texts_that_the_model_knows_have_directions() -> None:
    found = text_anchor(DEMO)(["nuclei", "unicorns", "a micrograph of red blood cells"])
    assert found.isnan().any(1).tolist() == [False, True, False]
    torch.testing.assert_close(found[[0, 2]].norm(dim=1), torch.ones(2), atol=1e-5, rtol=0)
