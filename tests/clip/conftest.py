"""What several tests of the loaded model need."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

TRANSFORMERS_CONFIG = {
    "model_type": "clip",
    "architectures": ["CLIPModel"],
    "projection_dim": 24,
    "text_config": {
        "hidden_size": 16,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 16,
        "hidden_act": "gelu",
    },
    "vision_config": {
        "hidden_size": 32,
        "intermediate_size": 128,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "image_size": 32,
        "patch_size": 8,
        "hidden_act": "gelu",
    },
}
TRANSFORMERS_PIXELS = {
    "image_mean": [0.4, 0.5, 0.6],
    "image_std": [0.1, 0.2, 0.3],
    "rescale_factor": 1 / 255,
}


def their_weights(clip: Any) -> dict[str, Tensor]:
    """The tensors of an open_clip model where transformers keeps them."""
    ours = clip.state_dict()
    theirs = {
        "logit_scale": ours["logit_scale"],
        "text_projection.weight": ours["text_projection"].T,
        "visual_projection.weight": ours["visual.proj"].T,
        "text_model.embeddings.token_embedding.weight": ours["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": ours["positional_embedding"],
        "text_model.embeddings.position_ids": torch.arange(16)[None],
        "vision_model.embeddings.class_embedding": ours["visual.class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": ours["visual.conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": ours["visual.positional_embedding"],
    }
    for kind in ("weight", "bias"):
        theirs[f"text_model.final_layer_norm.{kind}"] = ours[f"ln_final.{kind}"]
        theirs[f"vision_model.pre_layrnorm.{kind}"] = ours[f"visual.ln_pre.{kind}"]
        theirs[f"vision_model.post_layernorm.{kind}"] = ours[f"visual.ln_post.{kind}"]
        for tower, home, layers in (("text", "", 2), ("vision", "visual.", 3)):
            for layer in range(layers):
                new = f"{tower}_model.encoder.layers.{layer}"
                old = f"{home}transformer.resblocks.{layer}"
                parts = ours[f"{old}.attn.in_proj_{kind}"].chunk(3)
                for letter, part in zip("qkv", parts, strict=True):
                    theirs[f"{new}.self_attn.{letter}_proj.{kind}"] = part
                theirs[f"{new}.self_attn.out_proj.{kind}"] = ours[f"{old}.attn.out_proj.{kind}"]
                theirs[f"{new}.layer_norm1.{kind}"] = ours[f"{old}.ln_1.{kind}"]
                theirs[f"{new}.layer_norm2.{kind}"] = ours[f"{old}.ln_2.{kind}"]
                theirs[f"{new}.mlp.fc1.{kind}"] = ours[f"{old}.mlp.c_fc.{kind}"]
                theirs[f"{new}.mlp.fc2.{kind}"] = ours[f"{old}.mlp.c_proj.{kind}"]
    return {name: tensor.contiguous().clone() for name, tensor in theirs.items()}


@pytest.fixture
def transformers_folder(tiny_clip: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tiny_clip` as the transformers library writes it, which is put down here a second time."""
    folder = tmp_path_factory.mktemp("transformers")
    save_file(their_weights(tiny_clip), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(TRANSFORMERS_CONFIG))
    (folder / "preprocessor_config.json").write_text(json.dumps(TRANSFORMERS_PIXELS))
    return folder


@pytest.fixture(scope="session")
def batch() -> Tensor:
    """Two preprocessed images for `tiny_clip`."""
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="session")
def state_of() -> Callable[[nn.Module], dict[str, object]]:
    """Everything of a model that loading it must leave as it was."""

    def state(model: nn.Module) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, module in model.named_modules():
            found[f"{name}: mode"] = module.training
            found[f"{name}: type"] = type(module)
            found[f"{name}: attributes"] = sorted(vars(module))
            found[f"{name}: hooks"] = sum(
                len(hooks) for key, hooks in vars(module).items() if key.endswith("_hooks")
            )
        for name, weight in model.named_parameters():
            found[f"{name}: weight"] = (weight.data_ptr(), weight._version, weight.dtype)
            found[f"{name}: gradient"] = (weight.requires_grad, weight.grad)
        return found

    return state


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch, tiny_clip: open_clip.CLIP) -> str:
    """Put the architecture of `tiny_clip` on open_clip's list, with one released tag."""
    vision = {"image_size": 32, "patch_size": 8, "layers": 3, "width": 32, "head_width": 8}
    text = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2}
    config = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text}
    tag = {"hf_hub": "someone/tiny/", "quick_gelu": False, "mean": [0.1] * 3, "std": [0.2] * 3}
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-tiny", config)
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "ViT-tiny", {"released": tag})
    return "ViT-tiny/released"
