"""The maps of `demo`: as the package makes them of its weights, and only where they fit."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.nn import functional as F
from training.configurations import configuration
from training.demo_maps import DemoMaps, has_grid_of_demo, relative_maps
from training.export import TextIds, save_folder
from training.network import embed

import napari_clip_heatmap as nch
from napari_clip_heatmap.scenes import CLASSES


def test_its_maps_are_those_of_the_model_in_the_folder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = configuration("base")
    ids = TextIds(config["text_cfg"]["context_length"])
    clip = ids.compact_clip(config).eval()
    save_folder(tmp_path, clip, torch.zeros(()), ids, config)
    pixels = torch.randn(2, 3, 96, 96)
    model = nch.load_model(f"local-dir:{tmp_path}", device="cpu", precision="fp32")
    directions = F.normalize(model.encode_text(list(CLASSES)), dim=-1)
    with torch.no_grad():
        wanted = relative_maps(embed(clip.visual, pixels)[1], directions)
    found = DemoMaps(tmp_path)(pixels, torch.float32)
    torch.testing.assert_close(found, wanted, atol=2e-3, rtol=2e-2)  # weights are stored in half


def test_relative_maps_sum_to_nothing_over_the_classes() -> None:
    found = DemoMaps()(torch.randn(1, 3, 96, 96), torch.float32)
    assert found.shape == (1, 144, len(CLASSES))
    torch.testing.assert_close(found.sum(-1), torch.zeros(1, 144), atol=1e-4, rtol=0)


def test_only_shapes_with_the_same_patches_keep_its_maps() -> None:
    assert has_grid_of_demo("wide")
    assert not has_grid_of_demo("larger-view")
