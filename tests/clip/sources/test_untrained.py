"""Models with random weights: as fast as trained ones, and not to be mistaken for them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import open_clip
import pytest

from napari_clip_heatmap.clip.catalog import configuration_of
from napari_clip_heatmap.clip.loading import load_untrained
from napari_clip_heatmap.clip.sources import untrained as module
from napari_clip_heatmap.clip.sources.untrained import untrained
from napari_clip_heatmap.core.exactness import decomposition_error
from napari_clip_heatmap.errors import DeviceError, ModelLoadError


@pytest.mark.parametrize("name", ["demo", "RN50", "ViT-B-32-SigLIP2-256", "MobileCLIP-S1"])
def test_its_image_tower_is_that_of_the_architecture(name: str) -> None:
    config = configuration_of(name)
    assert config is not None
    model = load_untrained(name, device="cpu")
    assert model.name == name
    assert not any(weight.requires_grad for weight in model.module.parameters())
    vision = {**config["vision_cfg"], "timm_model_pretrained": False}
    stock = open_clip.model._build_vision_tower(
        config["embed_dim"], vision, config.get("quick_gelu", False)
    )
    expected = {key: value.shape for key, value in stock.state_dict().items()}
    assert {key: value.shape for key, value in model.module.visual.state_dict().items()} == expected


def test_its_maps_are_exact() -> None:
    model = load_untrained("ViT-B-32", device="cpu")
    height, width = model.image_size
    probe = np.random.default_rng(0).random((1, height, width, 3), np.float32)
    found = model.token_map(model.preprocess(probe))
    assert decomposition_error(found, found.representation) < 1e-5


def test_nothing_is_built_that_memory_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    config = configuration_of("ViT-L-14")
    assert config is not None
    free = SimpleNamespace(available=2 * 10**9)
    monkeypatch.setattr(module.psutil, "virtual_memory", lambda: free)
    with pytest.raises(DeviceError, match=r"ViT-L-14 needs about 2\.8 GB .* 2\.0 GB are free"):
        untrained(config, origin="ViT-L-14")


def test_an_unknown_architecture_or_precision_is_refused() -> None:
    with pytest.raises(ModelLoadError, match=r"no architecture 'ViT-Z'.*clip-heatmap models"):
        load_untrained("ViT-Z", device="cpu")
    with pytest.raises(DeviceError, match="no precision 'double'"):
        load_untrained("demo", device="cpu", precision="double")
