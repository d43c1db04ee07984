"""Content hash of a model's weights."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

__all__ = ["fingerprint"]


def fingerprint(module: nn.Module) -> str:
    """Return the SHA-256 of all weights: names, types, shapes and bytes, in the order of names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(_bytes(tensor))
    return digest.hexdigest()


def _bytes(tensor: torch.Tensor) -> memoryview:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    octets: NDArray[np.uint8] = flat.view(torch.uint8).numpy()
    return octets.data
