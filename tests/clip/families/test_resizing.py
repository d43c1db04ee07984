"""Images of another size than in training: exact too, and the model given stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import open_clip
import pytest
import torch
from open_clip.model import resize_pos_embed
from torch import Tensor

import napari_clip_heatmap as nch
from napari_clip_heatmap.clip.families import adapt, resized
from napari_clip_heatmap.core.exactness import relative_error
from napari_clip_heatmap.core.token_map import fold
from napari_clip_heatmap.errors import SettingsError, UnsupportedModelError

PATCHES = {
    "CLIPA": 14,
    "MobileCLIP-B": 16,
    "ViTamin-S": 16,
    "EVA02-B": 16,
    "EVA02-E": 14,
    "SigLIP-B": 16,
    "PE-Core-T": 16,
    "CoCa": 32,
    "CONCH": 16,
    "RN50": 32,
    "ConvNeXt-T": 32,
    "ConvNeXt-L-MLP": 32,
    "MobileCLIP2-S0": 32,
    "MobileCLIP2-S3": 64,
    "Swin-B": 32,
    "RelPos": 16,
    "RelPos, norms after": 16,
    "TIPSv2-B": 14,
    "SigLIP2-NaFlex": 16,
}


@torch.no_grad()
@pytest.mark.parametrize("name", PATCHES)
def test_another_size_is_exact_and_changes_nothing(
    name: str,
    image_tower: Callable[..., Any],
    images_for: Callable[..., Tensor],
    state_of: Callable[..., dict[str, object]],
) -> None:
    visual = image_tower(name)
    if name.startswith("RelPos") and not hasattr(visual.trunk, "set_input_size"):
        pytest.skip("timm resizes these from 1.0.31 on; an older one is told of")
    before, sizes = state_of(visual), (adapt(visual).image_size, adapt(visual).grid)
    grid = (7, 9) if name == "Swin-B" else (3, 5)  # at least a window
    size = (grid[0] * PATCHES[name], grid[1] * PATCHES[name])
    other = resized(visual, size)
    tower = adapt(other)
    assert (tower.image_size, tower.grid) == (size, grid)
    images = images_for(tower)
    answer = other(images)
    embedding = answer[0] if isinstance(answer, tuple) else answer
    assert relative_error(tower, images, fold(tower), embedding) <= 1e-5
    assert state_of(visual) == before
    assert (adapt(visual).image_size, adapt(visual).grid) == sizes
    visual(images_for(adapt(visual)))
    shared = {weight.data_ptr() for weight in visual.parameters()}
    assert sum(weight.data_ptr() not in shared for weight in other.parameters()) <= 1


@torch.no_grad()
def test_positions_are_interpolated_as_open_clip_does(make_clip: Callable[..., Any]) -> None:
    model = make_clip(3)
    weights = {k: v.clone() for k, v in model.state_dict().items()}
    larger = make_clip(0, image_size=64)
    resize_pos_embed(weights, larger)
    larger.load_state_dict(weights)
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(resized(model.visual, (64, 64))(images), larger.visual(images))


@torch.no_grad()
def test_loaded_at_another_size(tiny_clip: open_clip.CLIP) -> None:
    model = nch.load_model(tiny_clip, device="cpu", image_size=(64, 40))
    assert (model.image_size, model.grid) == ((64, 40), (8, 5))
    images = torch.randn(1, 3, 64, 40, generator=torch.Generator().manual_seed(1))
    assert nch.token_map(model, images).shape == (1, 8, 5, 24)
    assert nch.load_model(tiny_clip, device="cpu").image_size == (32, 32)
    square = nch.load_model(tiny_clip, device="cpu", image_size=48)
    assert square.weights_sha256 != model.weights_sha256


def test_a_map_smaller_than_a_window_is_refused(image_tower: Callable[..., Any]) -> None:
    with pytest.raises(UnsupportedModelError, match=r"at least \(224, 224\) pixels; got .*192"):
        resized(image_tower("Swin-B"), (224, 192))


def test_a_larger_swin_keeps_its_windows(image_tower: Callable[..., Any]) -> None:
    small = image_tower("Swin-B")
    large = resized(small, (448, 448))
    pairs = zip(small.trunk.layers, large.trunk.layers, strict=True)
    for one, other in ((a.blocks[0], b.blocks[0]) for a, b in pairs):
        assert one.window_size == other.window_size
        one_table, other_table = (x.attn.relative_position_bias_table for x in (one, other))
        assert one_table is other_table


@pytest.mark.parametrize("size", [(30, 32), (0, 32), (32,), (40.0, 32), 12])
def test_half_patches_are_refused(tiny_clip: open_clip.CLIP, size: Any) -> None:
    with pytest.raises(SettingsError, match=r"whole patches of \(8, 8\)"):
        nch.load_model(tiny_clip, device="cpu", image_size=size)


def test_a_family_without_is_refused(
    tiny_clip: open_clip.CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_clip_heatmap.clip.families import native

    monkeypatch.delattr(native, "resize")
    with pytest.raises(UnsupportedModelError, match=r"\(32, 32\) pixels only"):
        nch.load_model(tiny_clip, device="cpu", image_size=64)
