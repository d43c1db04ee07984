"""Models in open_clip's list, without a network; downloads are tested in `hub`."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import open_clip
import pytest
from open_clip.pretrained import get_pretrained_cfg

from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.clip.sources import open_clip_registry as registry
from napari_clip_heatmap.errors import ModelLoadError, UnsupportedModelError

WEIGHTS = "open_clip_model.safetensors"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ViT-B-16", r"name its weights too.*'ViT-B-16/laion2b_s34b_b88k'"),
        ("ViT-B-16/none", r"no tag 'none'.*'ViT-B-16/openai'"),
        ("ViT-B16/openai", r"no architecture 'ViT-B16'.*ViT-B-16"),
        ("", "no architecture ''"),
    ],
)
def test_unknown_names(name: str, message: str) -> None:
    with pytest.raises(ModelLoadError, match=message):
        load_model(name)


@pytest.mark.parametrize(
    "vision",
    [
        {"timm_model_name": "mambaout_femto", "timm_pool": "avg", "timm_proj": "linear"},
        {"timm_model_name": "convnext_atto", "timm_pool": "max", "timm_proj": "linear"},
    ],
)
def test_other_towers_are_refused_before_a_download(
    vision: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a newer open_clip may have them under a name that is released."""
    config = {**open_clip.get_model_config("ViT-B-32"), "vision_cfg": vision}
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-B-32", config)
    monkeypatch.setattr(registry, "find_or_download", lambda *a, **k: pytest.fail("late"))
    with pytest.raises(UnsupportedModelError, match="o exact decomposition"):
        load_model("ViT-B-32/openai")


def test_a_tag_brings_its_own_activation_and_preprocessing(
    monkeypatch: pytest.MonkeyPatch, tiny_clip: Any, tiny_folder: Path
) -> None:
    built: list[dict[str, Any]] = []

    def build(model_cfg: dict[str, Any], *_: object, **options: object) -> Any:
        built.append(model_cfg)
        return copy.deepcopy(tiny_clip)

    monkeypatch.setattr(registry, "find_or_download", lambda name, files: [tiny_folder / WEIGHTS])
    monkeypatch.setattr(registry, "build_from_parts", build)
    model = load_model("ViT-B-32/openai", device="cpu")
    assert model.mean == (0.48145466, 0.4578275, 0.40821073)
    theirs = get_pretrained_cfg("ViT-B-32", "openai")
    assert built[-1]["quick_gelu"] is theirs.get("quick_gelu", False)
    assert built[-1]["vision_cfg"]["patch_size"] == 32
    half = load_model("ViT-L-14/laion2b_s32b_b82k", device="cpu")
    assert half.mean == half.std == (0.5, 0.5, 0.5)
    assert built[-1]["quick_gelu"] is False
    chosen = load_model("ViT-L-14/laion2b_s32b_b82k", device="cpu", preprocess="openai")
    assert chosen.mean == (0.48145466, 0.4578275, 0.40821073)
