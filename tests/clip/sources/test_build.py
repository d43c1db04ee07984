"""A model of each family saved in each format and loaded through the public door, offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from timm import create_model
from timm.models import _registry as timm_registry

from napari_clip_heatmap.clip.loading import load_model
from napari_clip_heatmap.clip.sources.build import build_model

TEXT = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
SMALL = {"image_size": 32, "patch_size": 8, "layers": 2, "width": 32, "head_width": 8}


def timm(name: str, pool: str, proj: str, size: int) -> dict[str, Any]:
    return {
        "timm_model_name": name,
        "timm_model_pretrained": False,
        "timm_pool": pool,
        "timm_proj": proj,
        "image_size": size,
    }


def narrow_eva02_e(**options: Any) -> Any:
    return create_model(
        "eva02_enormous_patch14_clip_224", embed_dim=64, depth=2, num_heads=4, **options
    )


FAMILIES: dict[str, dict[str, Any]] = {
    "native": {"vision_cfg": SMALL, "quick_gelu": True},
    "native, average": {"vision_cfg": {**SMALL, "pool_type": "avg", "no_ln_pre": True}},
    "timm_vit": {"vision_cfg": timm("vit_tiny_patch16_224", "", "linear", 48), "custom_text": True},
    "attention_pool": {
        "vision_cfg": timm("vit_pe_core_tiny_patch16_384", "map", "none", 48),
        "custom_text": True,
        "embed_dim": 512,
    },
    "eva": {"vision_cfg": timm("eva02_tiny_patch14_224", "token", "linear", 28)},
    "eva_post_norm": {"vision_cfg": timm("eva02_e_small", "token", "linear", 28)},
    "coca": {
        "vision_cfg": {**SMALL, "attentional_pool": True, "attn_pooler_heads": 4},
        "multimodal_cfg": {**TEXT, "layers": 1},
        "text_cfg": {**TEXT, "embed_cls": True, "output_tokens": True},
        "custom_text": True,
    },
    "resnet": {"vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16}},
    "convnext": {"vision_cfg": timm("convnext_atto", "", "linear", 64)},
}


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A configuration, on open_clip's list too."""
    config = {"embed_dim": 24, "text_cfg": TEXT, **FAMILIES[request.param]}
    tag = {"hf_hub": "x/y/", "quick_gelu": config.get("quick_gelu", False)}
    tag |= {"mean": [0.5] * 3, "std": [0.25] * 3}
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "small", config)
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "small", {"tag": tag})
    # The one trunk with post-norms has 4 thousand million weights: narrower, and of two blocks.
    monkeypatch.setitem(timm_registry._model_entrypoints, "eva02_e_small", narrow_eva02_e)
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("it used the network"))
    return {"name": request.param, **config}


def test_every_format_gives_the_same_numbers(family: dict[str, Any], tmp_path: Path) -> None:
    name = family.pop("name")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        clip: Any = build_model(family, origin="test").eval()
    expected = load_model(clip, device="cpu", preprocess=([0.5] * 3, [0.25] * 3))
    assert expected.describe()["family"] == name.partition(",")[0]
    weights = {name: value.contiguous() for name, value in clip.state_dict().items()}
    batch = torch.randn(2, 3, *expected.image_size, generator=torch.Generator().manual_seed(1))
    tokens = expected.token_map(batch).tokens
    for name in (
        write_folder(family, weights, tmp_path / "safe", save_file, "open_clip_model.safetensors"),
        write_folder(family, weights, tmp_path / "bin", torch.save, "open_clip_pytorch_model.bin"),
        write_file(weights, tmp_path / "w.pt"),
    ):
        model = load_model(name, device="cpu")
        assert (model.mean, model.std) == (expected.mean, expected.std)
        torch.testing.assert_close(model.token_map(batch).tokens, tokens, rtol=0, atol=0)
        assert torch.equal(model.encode_text(["cell"]), expected.encode_text(["cell"]))


def write_folder(
    config: dict[str, Any], weights: dict[str, Any], folder: Path, save: Any, name: str
) -> str:
    folder.mkdir()
    preprocess = {"mean": [0.5] * 3, "std": [0.25] * 3}
    text = json.dumps({"model_cfg": config, "preprocess_cfg": preprocess})
    (folder / "open_clip_config.json").write_text(text)
    save(weights, folder / name)
    return f"local-dir:{folder}"


def write_file(weights: dict[str, Any], path: Path) -> str:
    torch.save(
        {"epoch": 1, "state_dict": {f"module.{key}": each for key, each in weights.items()}}, path
    )
    return f"small/tag@{path}"
