"""What several tests of the loaded model need."""

from __future__ import annotations

from collections.abc import Callable

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
