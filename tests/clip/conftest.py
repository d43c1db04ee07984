"""What several tests of the loaded model need."""

from __future__ import annotations

from collections.abc import Callable

import open_clip
import pytest
import torch
from torch import Tensor, nn


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
